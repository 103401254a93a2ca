const sockets = new Set()

export default {
  open(socket) {
    sockets.add(socket)
  },
  message(_, data) {
    for (const socket of sockets) socket.send(data)
  },
  close(socket) {
    sockets.delete(socket)
  },
}
