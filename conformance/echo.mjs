// The origin of the conformance run: npm `ws` echoing, with permessage-deflate.
// Prints its port, then serves until its standard input ends.
import { WebSocketServer } from "ws";

// 9.3 and 9.4 send four million bytes in fragments of 64: more than ws takes by default.
const UNLIMITED = { maxPayload: 0, maxFragments: 0, maxBufferedChunks: 0 };
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: { threshold: 0 }, ...UNLIMITED });
server.on("connection", (socket) => {
  socket.on("error", () => {}); // ws closes the connection itself, with the code that the error has
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
