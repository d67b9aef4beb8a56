// Sends messages by npm `ws` and prints what came of it: `node ws_messages.mjs URL LAST MESSAGE...`.
// Prints one JSON object as soon as LAST has come back, or the WebSocket has been closed.
import WebSocket from "ws";

const [url, last, ...messages] = process.argv.slice(2);
const socket = new WebSocket(url, ["second"], { perMessageDeflate: { threshold: 0 } });
const received = [];
socket.on("open", () => {
  for (const message of messages) socket.send(message);
});
socket.on("message", (data) => {
  received.push(data.toString());
  if (data.toString() === last) socket.close(1000);
});
socket.on("error", (error) => console.error(error));
socket.on("close", (code, reason) => {
  console.log(JSON.stringify({ received, extensions: socket.extensions, code, reason: reason.toString() }));
});
