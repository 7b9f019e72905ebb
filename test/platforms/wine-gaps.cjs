// node -r wine-gaps.cjs …: what Node's program for Windows asks for and Wine 8 lacks.

const { Socket } = require('node:net')

// TCP_KEEPALIVE: libuv sets it with the option, and then the connection fails.
Socket.prototype.setKeepAlive = function () {
  return this
}
// Without a console Wine gives no title, and libuv ends the process where somebody asks for it.
process.title = 'node'
