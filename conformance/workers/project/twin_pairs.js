// Probes of pairs within one Worker and of sockets that a Worker opens: PAIR_PROBES and OUTGOING_PROBES of twin_pairs.py.
import { shown, sleep } from "twin_words.js";

function noted(socket, label, lines) {
  socket.addEventListener("open", () => lines.push(`${label}: open ${socket.readyState}`));
  socket.addEventListener("message", (event) => lines.push(`${label}: message ${event.type} ${shown(event.data)}`));
  socket.addEventListener("close", (event) => lines.push(`${label}: close ${event.code} ${shown(event.reason)} ${event.wasClean} state ${socket.readyState}`));
  socket.addEventListener("error", () => lines.push(`${label}: error`));
}

export const PAIR_PROBES = {
  async "within a Worker"(room, lines) {
    const [one, two] = Object.values(new WebSocketPair());
    one.accept();
    two.accept();
    one.binaryType = two.binaryType = "arraybuffer";
    noted(one, "one", lines);
    noted(two, "two", lines);
    one.send("hello");
    one.send(new Uint8Array([1, 2]));
    await sleep(20);
    two.send("back");
    await sleep(20);
    one.close(4001, "enough");
    lines.push(`states ${one.readyState} ${two.readyState}`);
    await sleep(20);
    lines.push(`states ${one.readyState} ${two.readyState}`);
    await lines.tries("answer", () => two.close(4002, "too"));
    await sleep(20);
    lines.push(`states ${one.readyState} ${two.readyState}`);
  },
  async listeners(room, lines) {
    const [one, two] = Object.values(new WebSocketPair());
    one.accept();
    const second = () => lines.push("second");
    two.addEventListener("message", (event) => lines.push(`first ${event.data} ${event.target === two} ${event.type}`));
    two.addEventListener("message", second);
    two.addEventListener("message", () => lines.push("once"), { once: true });
    two.onmessage = (event) => lines.push(`property ${event.data}`);
    one.send("before accept");
    await sleep(20);
    lines.push("accepted");
    two.accept();
    await sleep(20);
    two.removeEventListener("message", second);
    one.send("again");
    await sleep(20);
    two.onmessage = null;
    one.send("last");
    await sleep(20);
  },
  async "hibernatable pair"(room, lines) {
    const [one, two] = Object.values(new WebSocketPair());
    room.ctx.acceptWebSocket(two, ["inside"]);
    one.accept();
    noted(one, "one", lines);
    noted(two, "two", lines);
    one.send("to the handler");
    await sleep(50);
    two.close(4000, "from the object");
    await sleep(50);
    lines.push(`states ${one.readyState} ${two.readyState}`, `listed ${room.ctx.getWebSockets("inside").length}`);
  },
};

export const OUTGOING_PROBES = {
  async outgoing(env, name, lines, base) {
    const url = base.replace("http", "ws") + "/echo";
    const socket = new WebSocket(url);
    lines.push(`state ${socket.readyState}`);
    noted(socket, "new", lines);
    await lines.tries("send too early", () => socket.send("early"));
    await sleep(200);
    socket.send("hello");
    await sleep(100);
    socket.send("!close 4009 theirs");
    await sleep(200);
    lines.push(`state ${socket.readyState}`);
    const answer = await fetch(url.replace("ws", "http"), { headers: { Upgrade: "websocket", "Sec-WebSocket-Protocol": "chat" } });
    const fetched = answer.webSocket;
    lines.push(`status ${answer.status} ${answer.headers.get("Sec-WebSocket-Protocol")}`);
    await lines.tries("send before accept", () => fetched.send("x"));
    fetched.accept();
    noted(fetched, "fetched", lines);
    fetched.send("hello");
    await sleep(100);
    fetched.close(4008, "ours");
    lines.push(`state ${fetched.readyState}`);
    await sleep(200);
    lines.push(`state ${fetched.readyState}`);
    const refused = await fetch(base + "/refused", { headers: { Upgrade: "websocket" } });
    lines.push(`refused ${refused.status} ${refused.webSocket === null}`);
    const failed = new WebSocket(base.replace("http", "ws") + "/refused");
    noted(failed, "failed", lines);
    await sleep(200);
    lines.push(`state ${failed.readyState}`);
    await lines.tries("not a URL", () => new WebSocket("nothing"));
    await lines.tries("another scheme", () => new WebSocket("ftp://a.example"));
    await lines.tries("a fragment", () => new WebSocket("ws://a.example/#x"));
    await lines.tries("protocol twice", () => new WebSocket("ws://a.example", ["a", "a"]));
  },
};
