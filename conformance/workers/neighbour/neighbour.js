// The twin of worker.py, for workerd: a script that another one names in its bindings.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

// By the name of who writes it.
const LOGS = new Map();

class Mine extends Error {
  name = "Mine";
}
const KINDS = { Error, TypeError, RangeError, SyntaxError, Mine };

const failure = (kind) => Object.assign(new KINDS[kind](`of ${kind}`), { custom: 5 });

function upgraded(request, accept) {
  const [client, server] = Object.values(new WebSocketPair());
  accept(server);
  const offered = request.headers.get("Sec-WebSocket-Protocol");
  return new Response(null, { status: 101, webSocket: client, headers: offered ? { "Sec-WebSocket-Protocol": offered.split(",")[0].trim() } : {} });
}

function logOf(name) {
  if (!LOGS.has(name)) LOGS.set(name, []);
  return LOGS.get(name);
}

function listening(server, log) {
  server.accept();
  server.binaryType = "arraybuffer";
  server.addEventListener("message", (event) => (event.data === "!close" ? server.close(4006, "of the neighbour") : server.send(event.data)));
  server.addEventListener("close", (event) => log.push(`close ${event.code} "${event.reason}" ${event.wasClean}`));
}

export class Shelf extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.log = [];
  }
  async fetch(request) {
    const what = new URL(request.url).pathname.split("/")[3];
    if (what === "log") return Response.json(this.log);
    if (what === "refused") return new Response("not you", { status: 403 });
    if (what === "throws") throw new Error("of the shelf");
    if (request.headers.get("Upgrade") !== "websocket") return new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`, { headers: { "X-Answer": "shelf" } });
    return upgraded(request, (server) => this.ctx.acceptWebSocket(server, ["far", what]));
  }
  async webSocketMessage(ws, message) {
    if (message === "!throw") throw new Error("of a handler");
    if (message === "!close") ws.close(4006, "of the neighbour");
    else if (message === "!tags") ws.send(this.ctx.getTags(ws).join(" "));
    else ws.send(message);
  }
  async webSocketClose(ws, code, reason, wasClean) {
    this.log.push(`close ${code} "${reason}" ${wasClean} tags ${this.ctx.getTags(ws)}`);
    ws.close(code === 1005 || code === 1006 ? 1000 : code, reason);
  }
  async increment() {
    const n = ((await this.ctx.storage.get("n")) ?? 0) + 1;
    await this.ctx.storage.put("n", n);
    return n;
  }
  identity() {
    return [this.ctx.id.toString(), this.ctx.id.name];
  }
  async circle(depth) {
    return depth ? 1 + (await this.env.ROOM.getByName("circle").circle(depth - 1)) : 0;
  }
  give(value) {
    return value;
  }
  fail(kind) {
    throw failure(kind);
  }
  abandon() {
    this.ctx.abort("of the shelf");
  }
}

export class Admin extends WorkerEntrypoint {
  who() {
    return "admin";
  }
  async fetch() {
    return new Response("of Admin");
  }
}

export default class extends WorkerEntrypoint {
  get limit() {
    return 7;
  }
  async fetch(request) {
    const url = new URL(request.url);
    const [name, what] = url.pathname.split("/").slice(-2);
    if (what === "log") return Response.json(logOf(name));
    if (what === "refused") return new Response("not you", { status: 403 });
    if (what === "throws") throw new TypeError("of the neighbour");
    if (what === "moved") return Response.redirect("http://elsewhere.example/", 302);
    if (request.headers.get("Upgrade") === "websocket") return upgraded(request, (server) => listening(server, logOf(name)));
    return new Response(`${request.method} ${request.url} ${request.headers.get("X-Word")} ${await request.text()}`, { status: 203, headers: { "X-Answer": "neighbour" } });
  }
  add(a, b) {
    return a + b;
  }
  give(value) {
    return value;
  }
  giveNothing() {}
  fail(kind) {
    throw failure(kind);
  }
  async each(count, given) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += await given.to[0](i);
    return sum;
  }
  adder(start) {
    return (n) => start + n;
  }
  async failing(callback) {
    try {
      await callback();
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  }
}
