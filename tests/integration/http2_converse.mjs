// Node's own HTTP/2 client: an ordinary request and a WebSocket (RFC 8441) on one connection.
// node http2_converse.mjs PORT CA-FILE: prints one line of JSON, what it saw.
import {readFileSync} from "node:fs";
import http2 from "node:http2";

const [port, authority] = process.argv.slice(2);
const session = http2.connect(`https://example.test:${port}`, {
  ca: readFileSync(authority),
  lookup: (_, options, done) => options.all ? done(null, [{address: "127.0.0.1", family: 4}]) : done(null, "127.0.0.1", 4),
  settings: {enableConnectProtocol: true},
});
const said = {};

const settled = new Promise((done) => session.once("remoteSettings", done));
said.takesWebSockets = (await settled).enableConnectProtocol;

const answered = (stream) => new Promise((done, fail) => { stream.once("response", done); stream.once("error", fail); });

const body = session.request({":path": "/upload", ":method": "POST"});
body.end(Buffer.alloc(300_000, 7));
said.uploadStatus = (await answered(body))[":status"];
let text = "";
for await (const chunk of body) text += chunk;
said.upload = text;

// A text message "hello", masked with zeros.
const frame = Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from("hello")]);
const socket = session.request(
  {":method": "CONNECT", ":protocol": "websocket", ":path": "/echo?protocol=chat", "sec-websocket-version": "13",
    "sec-websocket-protocol": "chat"},
  {endStream: false},
);
const agreement = await answered(socket);
said.status = agreement[":status"];
said.protocol = agreement["sec-websocket-protocol"];
socket.write(frame);
said.echo = (await new Promise((done) => socket.once("data", done))).subarray(2).toString();
socket.end();
socket.resume();
await new Promise((done) => socket.once("close", done));
said.reset = socket.rstCode;
session.close();
console.log(JSON.stringify(said));
