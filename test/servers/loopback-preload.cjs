// Every listener without a host of its own is put on loopback: kinesis-local listens on all interfaces otherwise.
const net = require('node:net');

const { prototype } = net.Server;
const own = Object.getOwnPropertyDescriptor(prototype, 'listen').value;
prototype.listen = function onLoopback(...args) {
  if (typeof args[0] === 'object' && args[0] !== null && 'port' in args[0])
    args[0] = { ...args[0], host: '127.0.0.1' };
  else if (typeof args[0] === 'number') {
    if (typeof args[1] === 'string') args[1] = '127.0.0.1';
    else args.splice(1, 0, '127.0.0.1');
  }
  return own.apply(this, args);
};
