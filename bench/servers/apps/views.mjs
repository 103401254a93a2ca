// An echo that copies nothing: it answers with a view of what was received.
export default {
  views: true,
  message(socket, data, isBinary) {
    socket.send(data, isBinary)
  },
}
