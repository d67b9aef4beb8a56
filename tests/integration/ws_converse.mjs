// A conversation by npm `ws` with an echo server: `node ws_converse.mjs URL [CA]`.
// Prints one JSON object: what was negotiated, how many messages came back as sent, and how it closed.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import WebSocket from "ws";

const [url, ca] = process.argv.slice(2);
const sizes = [0, 1, 125, 126, 4096, 65535, 65536, 1_000_000];
const messages = [
  ...sizes.map((size) => "x".repeat(size)),
  ...sizes.map((size) => randomBytes(size)),
  "grüße \u{1F30A}".repeat(1000),
];
const socket = new WebSocket(url, ["first", "second"], {
  ca: ca && readFileSync(ca),
  perMessageDeflate: { threshold: 0 },
});
let echoed = 0;
let pongs = 0;
socket.on("open", () => {
  socket.ping("are you there");
  for (const message of messages) socket.send(message);
});
socket.on("pong", (data) => {
  pongs += data.toString() === "are you there" ? 1 : 0;
});
socket.on("message", (data, isBinary) => {
  const sent = messages[echoed];
  if (isBinary !== Buffer.isBuffer(sent) || !Buffer.from(sent).equals(data)) throw new Error(`message ${echoed} differs`);
  echoed += 1;
  if (echoed === messages.length) socket.close(4000, "all came back");
});
socket.on("close", (code, reason) => {
  const { extensions, protocol } = socket;
  console.log(JSON.stringify({ sent: messages.length, echoed, pongs, extensions, protocol, code, reason: reason.toString() }));
});
