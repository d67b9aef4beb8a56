// An echo server by npm `ws`, with permessage-deflate: `node ws_echo.mjs [CERT KEY]`.
// Prints its port, then serves until its standard input ends.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { WebSocketServer } from "ws";

const [cert, key] = process.argv.slice(2);
const server = cert ? createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }) : createServer();
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has("second") ? "second" : false),
});
sockets.on("connection", (socket) => {
  socket.on("error", () => {}); // ws closes the connection itself, with the code that the error has
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
