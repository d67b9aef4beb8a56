// A conversation by npm `partysocket`, over npm `ws`, with a Worker that echoes and closes as it is told: `node party_converse.mjs URL`.
// Prints a line of JSON for each thing that happens; ends when its standard input does. Each line of that is a message to send.
import { createInterface } from "node:readline";
import { WebSocket as ReconnectingWebSocket } from "partysocket";
import WebSocket from "ws";

const say = (what) => console.log(JSON.stringify(what));
// By itself it gives up a connection that has not opened within 4 s, and tries another.
const limits = { minReconnectionDelay: 10, maxReconnectionDelay: 50, connectionTimeout: 30_000 };
const socket = new ReconnectingWebSocket(process.argv[2], [], { WebSocket, ...limits });
socket.binaryType = "arraybuffer";
socket.addEventListener("open", () => say(["open"]));
socket.addEventListener("message", ({ data }) => say(["message", data]));
socket.addEventListener("close", ({ code, reason, wasClean }) => say(["close", code, reason, wasClean]));
createInterface({ input: process.stdin })
  .on("line", (line) => socket.send(line))
  .on("close", () => process.exit(0));
