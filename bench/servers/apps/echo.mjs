import { spin, warmUp } from '../work.mjs'

const spins = Number(process.env.BENCH_SPINS ?? 0)

warmUp(spins)

export default {
  message(socket, data) {
    if (spins > 0) spin(spins)
    socket.send(data)
  },
}
