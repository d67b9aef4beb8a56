// The twin of worker.py, for workerd: the same routes, probes and commands, line for line. What each says is compared.
import { DurableObject } from "cloudflare:workers";
import { CALL_PROBES, MORE_VALUES } from "twin_calls.js";
import { FAILING_OUTGOING, FAILING_PROBES } from "twin_failing.js";
import { OUTGOING_PROBES, PAIR_PROBES } from "twin_pairs.js";
import { SERVICE_PROBES } from "twin_services.js";
import { Lines, shown, sleep } from "twin_words.js";
import { WORKER_PROBES } from "twin_worker.js";

const CODES = [0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 5000];

function pairOf(room, tags) {
  const pair = new WebSocketPair();
  if (tags === undefined) room.ctx.acceptWebSocket(pair[1]);
  else room.ctx.acceptWebSocket(pair[1], tags);
  return pair[1];
}

const OBJECT_PROBES = {
  ...PAIR_PROBES,
  ...MORE_VALUES,
  ...FAILING_PROBES,
  async tags(room, lines) {
    await lines.tries("ten tags", () => room.ctx.getTags(pairOf(room, [..."abcdefghij"])));
    await lines.tries("eleven tags", () => void pairOf(room, [..."abcdefghijk"]));
    await lines.tries("eleven tags, one twice", () => room.ctx.getTags(pairOf(room, [..."abcdefghija"])));
    await lines.tries("an empty tag", () => room.ctx.getTags(pairOf(room, [""])));
    await lines.tries("no tags", () => room.ctx.getTags(pairOf(room)));
    await lines.tries("a tag of 256", () => room.ctx.getTags(pairOf(room, ["x".repeat(256)]))[0].length);
    await lines.tries("a tag of 257", () => void pairOf(room, ["x".repeat(257)]));
    await lines.tries("a number as a tag", () => room.ctx.getTags(pairOf(room, [7])));
    await lines.tries("sockets of a", () => room.ctx.getWebSockets("a").length);
    await lines.tries("sockets of z", () => room.ctx.getWebSockets("z").length);
    await lines.tries("all sockets", () => room.ctx.getWebSockets().length);
  },
  async accepting(room, lines) {
    await lines.tries("twice", () => {
      const socket = pairOf(room);
      room.ctx.acceptWebSocket(socket);
    });
    await lines.tries("after accept()", () => {
      const pair = new WebSocketPair();
      pair[1].accept();
      room.ctx.acceptWebSocket(pair[1]);
    });
    await lines.tries("of a pair that is accepted", () => {
      const pair = new WebSocketPair();
      pair[0].accept();
      room.ctx.acceptWebSocket(pair[1]);
    });
    await lines.tries("accept() after it", () => pairOf(room).accept());
    await lines.tries("tags of a standard socket", () => {
      const pair = new WebSocketPair();
      pair[1].accept();
      return room.ctx.getTags(pair[1]);
    });
    await lines.tries("no socket", () => room.ctx.acceptWebSocket("socket"));
  },
  async pair(room, lines) {
    const [client, server] = Object.values(new WebSocketPair());
    await lines.tries("url", () => server.url);
    await lines.tries("protocol", () => server.protocol);
    await lines.tries("extensions", () => server.extensions);
    await lines.tries("readyState", () => server.readyState);
    await lines.tries("send before accept", () => server.send("x"));
    await lines.tries("close before accept", () => server.close(1000, "x"));
    await lines.tries("attachment", () => server.deserializeAttachment());
    await lines.tries("READY_STATEs", () => [WebSocket.READY_STATE_CONNECTING, WebSocket.READY_STATE_OPEN, WebSocket.READY_STATE_CLOSING, WebSocket.READY_STATE_CLOSED]);
    await lines.tries("states", () => [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED]);
    await lines.tries("accept", () => server.accept());
    await lines.tries("accept again", () => server.accept());
    await lines.tries("the client's state", () => client.readyState);
  },
  async closing(room, lines) {
    for (const code of CODES) await lines.tries(`close ${code}`, () => pairOf(room).close(code, "why"));
    await lines.tries("reason of 123 bytes", () => pairOf(room).close(1000, "x".repeat(123)));
    await lines.tries("reason of 124 bytes", () => pairOf(room).close(1000, "x".repeat(124)));
    await lines.tries("reason of 42 times 3 bytes", () => pairOf(room).close(1000, "€".repeat(42)));
    await lines.tries("reason without code", () => pairOf(room).close(undefined, "why"));
    await lines.tries("no code", () => pairOf(room).close());
    const socket = pairOf(room);
    await lines.tries("state before", () => socket.readyState);
    socket.close(1000, "done");
    await lines.tries("state after", () => socket.readyState);
    await lines.tries("second close", () => socket.close(4000, "again"));
    await lines.tries("send after close", () => socket.send("x"));
    await lines.tries("is still listed", () => room.ctx.getWebSockets().includes(socket));
  },
  async attachments(room, lines) {
    const socket = pairOf(room);
    await lines.tries("at first", () => socket.deserializeAttachment());
    for (const value of [null, true, 7, 1.5, "größer", [1, [2]], { a: { b: null } }, new Uint8Array([1, 2])]) {
      await lines.tries(shown(value), () => {
        socket.serializeAttachment(value);
        return socket.deserializeAttachment();
      });
    }
    await lines.tries("a cycle", () => {
      const list = [1];
      list.push(list);
      socket.serializeAttachment(list);
      const back = socket.deserializeAttachment();
      return back[1] === back;
    });
    await lines.tries("is a copy", () => {
      const value = { a: 1 };
      socket.serializeAttachment(value);
      value.a = 2;
      return [socket.deserializeAttachment(), socket.deserializeAttachment() === socket.deserializeAttachment()];
    });
    await lines.tries("16379 characters", () => {
      socket.serializeAttachment("x".repeat(16379));
      return socket.deserializeAttachment().length;
    });
    await lines.tries("20000 characters", () => socket.serializeAttachment("x".repeat(20000)));
    await lines.tries("a function", () => socket.serializeAttachment(() => 1));
    await lines.tries("the last one stays", () => socket.deserializeAttachment().length);
  },
  async automatic(room, lines) {
    const set = (request, response) => room.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(request, response));
    const now = () => {
      const pair = room.ctx.getWebSocketAutoResponse();
      return pair && [pair.request.length, pair.response.length];
    };
    await lines.tries("at first", now);
    await lines.tries("2048 and 2048", () => set("x".repeat(2048), "y".repeat(2048)));
    await lines.tries("now", now);
    await lines.tries("2049 and 1", () => set("x".repeat(2049), "y"));
    await lines.tries("1 and 2049", () => set("x", "y".repeat(2049)));
    await lines.tries("empty", () => set("", ""));
    await lines.tries("now", now);
    await lines.tries("cleared", () => room.ctx.setWebSocketAutoResponse());
    await lines.tries("now", now);
    await lines.tries("timestamp", () => room.ctx.getWebSocketAutoResponseTimestamp(pairOf(room)));
    await lines.tries("timeout at first", () => room.ctx.getHibernatableWebSocketEventTimeout());
    await lines.tries("timeout of 7 days", () => room.ctx.setHibernatableWebSocketEventTimeout(604800000));
    await lines.tries("timeout now", () => room.ctx.getHibernatableWebSocketEventTimeout());
    await lines.tries("more than 7 days", () => room.ctx.setHibernatableWebSocketEventTimeout(604800001));
    await lines.tries("timeout of 0", () => room.ctx.setHibernatableWebSocketEventTimeout(0));
    await lines.tries("timeout now", () => room.ctx.getHibernatableWebSocketEventTimeout());
  },
  async values(room, lines) {
    const storage = room.ctx.storage;
    await lines.tries("get of nothing", () => storage.get("k"));
    for (const value of [null, true, 7, -1, 1.5, "größer 🎈", [1, [2]], { a: { b: null } }, new Uint8Array([1, 2])]) {
      await lines.tries(`put ${shown(value)}`, async () => {
        await storage.put("k", value);
        return await storage.get("k");
      });
    }
    await lines.tries("put of a function", () => storage.put("k", () => 1));
    await lines.tries("put of many", () => storage.put({ b: 1, a: 2, ä: 3, "": 4, ab: 5 }));
    await lines.tries("get of many", () => storage.get(["b", "a", "zz"]));
    await lines.tries("list", () => storage.list());
    await lines.tries("list by prefix", () => storage.list({ prefix: "a" }));
    await lines.tries("list from a to b", () => storage.list({ start: "a", end: "b" }));
    await lines.tries("list after a, backwards, two", () => storage.list({ startAfter: "a", reverse: true, limit: 2 }));
    await lines.tries("start and startAfter", () => storage.list({ start: "a", startAfter: "a" }));
    await lines.tries("limit of 0", () => storage.list({ limit: 0 }));
    await lines.tries("get of 129", () => storage.get(Array.from({ length: 129 }, (_, i) => `k${i}`)));
    await lines.tries("delete of 129", () => storage.delete(Array.from({ length: 129 }, (_, i) => `k${i}`)));
    await lines.tries("key of 2049 bytes", () => storage.put("k".repeat(2049), 1));
    await lines.tries("delete", () => storage.delete("a"));
    await lines.tries("delete again", () => storage.delete("a"));
    await lines.tries("delete of many", () => storage.delete(["b", "zz"]));
    await lines.tries("kv.put", () => storage.kv.put("s", [1]));
    await lines.tries("kv.get", () => storage.kv.get("s"));
    await lines.tries("kv.get of nothing", () => storage.kv.get("nothing"));
    await lines.tries("kv.list", () => [...storage.kv.list({ prefix: "s" })]);
    await lines.tries("kv.delete", () => storage.kv.delete("s"));
    await lines.tries("kv.delete again", () => storage.kv.delete("s"));
    await lines.tries("deleteAll", () => storage.deleteAll());
    await lines.tries("list after it", () => storage.list());
  },
  async transactions(room, lines) {
    const storage = room.ctx.storage;
    await lines.tries("transaction", () =>
      storage.transaction(async (txn) => {
        await txn.put("a", 1);
        return "returned";
      }),
    );
    await lines.tries("transaction that throws", () =>
      storage.transaction(async (txn) => {
        await txn.put("a", 2);
        throw new Error("of mine");
      }),
    );
    await lines.tries("transaction rolled back", () =>
      storage.transaction(async (txn) => {
        await txn.put("a", 3);
        txn.rollback();
        return "after";
      }),
    );
    await lines.tries("put after rollback", () =>
      storage.transaction(async (txn) => {
        txn.rollback();
        await txn.put("a", 4);
      }),
    );
    await lines.tries("a", () => storage.get("a"));
    await lines.tries("transactionSync", () => storage.transactionSync(() => (storage.kv.put("b", 1), "returned")));
    await lines.tries("transactionSync that throws", () =>
      storage.transactionSync(() => {
        storage.kv.put("b", 2);
        throw new Error("of mine");
      }),
    );
    await lines.tries("nested transactionSync", () =>
      storage.transactionSync(() => {
        storage.kv.put("b", 3);
        try {
          storage.transactionSync(() => {
            storage.kv.put("b", 4);
            throw new Error("inner");
          });
        } catch {}
        return storage.kv.get("b");
      }),
    );
    await lines.tries("b", () => storage.get("b"));
    await lines.tries("sync", () => storage.sync());
  },
  async sql(room, lines) {
    const sql = room.ctx.storage.sql;
    await lines.tries("create", () => sql.exec("CREATE TABLE t (a, b)").toArray());
    await lines.tries("insert", () => sql.exec("INSERT INTO t VALUES (?, ?), (?, ?)", 1, "x", null, 2.5).rowsWritten);
    await lines.tries("select", () => sql.exec("SELECT * FROM t").toArray());
    await lines.tries("columns", () => sql.exec("SELECT a AS q, b FROM t").columnNames);
    await lines.tries("raw", () => sql.exec("SELECT * FROM t").raw().toArray());
    await lines.tries("one", () => sql.exec("SELECT count(*) AS n FROM t").one());
    await lines.tries("one of none", () => sql.exec("SELECT * FROM t WHERE a = 9").one());
    await lines.tries("one of two", () => sql.exec("SELECT * FROM t").one());
    await lines.tries("true", () => sql.exec("SELECT ? AS v, typeof(?) AS t", true, true).one());
    await lines.tries("blob", () => sql.exec("SELECT ? AS v", new Uint8Array([1, 2])).one());
    await lines.tries("too few bindings", () => sql.exec("SELECT ?"));
    await lines.tries("too many bindings", () => sql.exec("SELECT 1", 2));
    await lines.tries("BEGIN", () => sql.exec("BEGIN"));
    await lines.tries("no such table", () => sql.exec("SELECT * FROM absent"));
    await lines.tries("reserved table", () => sql.exec("SELECT * FROM _cf_KV"));
    await lines.tries("PRAGMA user_version", () => sql.exec("PRAGMA user_version"));
    await lines.tries("two statements", () => sql.exec("INSERT INTO t VALUES (5, 5); SELECT count(*) AS n FROM t").one());
  },
  async alarms(room, lines) {
    const storage = room.ctx.storage;
    const later = 4102444800000;
    await lines.tries("at first", () => storage.getAlarm());
    await lines.tries("set", () => storage.setAlarm(later));
    await lines.tries("get", () => storage.getAlarm());
    await lines.tries("set by a date", () => storage.setAlarm(new Date(later + 1000)));
    await lines.tries("get", () => storage.getAlarm());
    await lines.tries("delete", () => storage.deleteAlarm());
    await lines.tries("get", () => storage.getAlarm());
    await lines.tries("set in a transaction that throws", () =>
      storage.transaction(async () => {
        await storage.setAlarm(later);
        throw new Error("of mine");
      }),
    );
    await lines.tries("get", () => storage.getAlarm());
    await lines.tries("set to a negative time", () => storage.setAlarm(-1));
  },
  async failing(room) {
    room.failures = 1;
    await room.ctx.storage.setAlarm(Date.now());
  },
  async chained(room) {
    room.chained = 1;
    await room.ctx.storage.setAlarm(Date.now());
  },
  async now(room) {
    await room.ctx.storage.setAlarm(Date.now());
  },
  async blocking(room, lines) {
    await lines.tries("value", () => room.ctx.blockConcurrencyWhile(async () => "returned"));
    await lines.tries("identity", () => [room.ctx.id.name, room.ctx.id.toString().length]);
  },
  async state(room, lines) {
    for (const socket of room.ctx.getWebSockets("client")) lines.push(`state ${socket.readyState}`);
    lines.push(`sockets ${room.ctx.getWebSockets().length}`);
  },
  async order(room, lines) {
    lines.push(`all ${room.ctx.getWebSockets().map((socket) => socket.deserializeAttachment()).join(" ")}`);
    lines.push(`of a tag ${room.ctx.getWebSockets("client").map((socket) => socket.deserializeAttachment()).join(" ")}`);
  },
  async log(room, lines) {
    lines.push(...room.log);
  },
  async instance(room, lines) {
    lines.push(`instance ${room.instance}`);
  },
};

const COMMANDS = {
  tags: (room, ws) => ws.send(shown(room.ctx.getTags(ws))),
  count: (room, ws) => ws.send(`sockets ${room.ctx.getWebSockets().length}`),
  state: (room, ws) => ws.send(`state ${ws.readyState}`),
  instance: (room, ws) => ws.send(`instance ${room.instance}`),
  attachment: (room, ws) => ws.send(shown(ws.deserializeAttachment())),
  attach: (room, ws, text) => ws.serializeAttachment(text),
  close: (room, ws, text) => {
    const [code, ...reason] = text.split(" ");
    if (code) ws.close(Number(code), reason.join(" "));
    else ws.close();
    room.log.push(`state after close ${ws.readyState}`);
  },
  throw: () => {
    throw new Error("of a handler");
  },
  reject: async () => {
    await sleep(1);
    throw new Error("of a handler");
  },
  abort: (room) => room.ctx.abort("of mine"),
  broken: (room) =>
    room.ctx.blockConcurrencyWhile(async () => {
      throw new Error("of blocking");
    }),
  automatic: (room, ws, text) => room.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(...text.split(" "))),
  limit: (room, ws, text) => room.ctx.setHibernatableWebSocketEventTimeout(Number(text)),
  doom: (room, ws) => room.ctx.storage.kv.put("doomed", true),
  manual: (room) => room.ctx.setWebSocketAutoResponse(),
  answered: (room, ws) => ws.send(`answered ${room.ctx.getWebSocketAutoResponseTimestamp(ws) !== null}`),
  slow: async (room, ws, text) => {
    await sleep(Number(text));
    ws.send(`slept ${text}`);
  },
  remember: (room, ws) => ws.serializeAttachment({ text: "größer 🎈", list: [1, [null, true]], bytes: new Uint8Array([1, 2]), date: new Date(1000) }),
  remembered: (room, ws) => {
    const pair = room.ctx.getWebSocketAutoResponse();
    for (const [name, value] of Object.entries(ws.deserializeAttachment())) ws.send(`${name} ${shown(value)}`);
    ws.send(shown([pair.request, pair.response, room.ctx.getHibernatableWebSocketEventTimeout(), room.ctx.getWebSockets("größer 🎈").length]));
    ws.serializeAttachment("b");
  },
  alarm: (room, ws, text) => room.ctx.storage.kv.put("tells", true) ?? room.ctx.storage.setAlarm(Date.now() + Number(text)),
  before: (room) => room.ctx.storage.kv.put("before", true),
  left: (room, ws) => ws.send(shown(room.ctx.storage.kv.get("left"))),
  block: async (room, ws, text) => {
    await room.ctx.blockConcurrencyWhile(() => sleep(Number(text)));
    ws.send("unblocked");
  },
  all: (room, ws, text) => {
    for (const socket of room.ctx.getWebSockets()) socket.send(text);
  },
  many: (room, ws, text) => {
    for (let i = 0; i < Number(text); i++) ws.send(String(i));
  },
};

function upgrade(socket, request) {
  const headers = {};
  if (request.headers.get("Sec-WebSocket-Protocol")) headers["Sec-WebSocket-Protocol"] = request.headers.get("Sec-WebSocket-Protocol").split(",")[0].trim();
  return new Response(null, { status: 101, webSocket: socket, headers });
}

function standard(server, log, options) {
  server.accept(options);
  server.binaryType = "arraybuffer";
  server.addEventListener("message", (event) => {
    if (typeof event.data === "string" && event.data.startsWith("!close")) {
      const [, code, ...reason] = event.data.split(" ");
      if (code) server.close(Number(code), reason.join(" "));
      else server.close();
      log.push(`state after close ${server.readyState}`);
    } else if (event.data === "!throw") throw new Error("of a listener");
    else server.send(event.data);
  });
  server.addEventListener("close", (event) => log.push(`close ${event.code} ${shown(event.reason)} ${event.wasClean} state ${server.readyState}`));
  server.addEventListener("error", () => log.push(`error state ${server.readyState}`));
}

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.log = [];
    this.value = 7;
    this.failures = 0;
    this.chained = 0;
    if (ctx.id.name?.startsWith("broken") || ctx.storage.kv.get("doomed")) throw new Error("of the constructor");
    this.instance = (ctx.storage.kv.get("instance") ?? 0) + 1;
    ctx.storage.kv.put("instance", this.instance);
  }
  async fetch(request) {
    const [, where, , what] = decodeURIComponent(new URL(request.url).pathname).split("/");
    if (where === "http") {
      if (what === "throw") throw new TypeError("of fetch");
      if (what === "text") return new Response("no response".length);
      return new Response(`${request.method} ${what} ${request.headers.get("X-Word")} ${await request.text()}`, { status: 201, headers: { "X-Answer": "yes" } });
    }
    if (where === "probe") {
      const lines = new Lines();
      await OBJECT_PROBES[what](this, lines);
      return Response.json(lines);
    }
    if (request.headers.get("Upgrade")?.toLowerCase() !== "websocket") return new Response("expected websocket", { status: 426 });
    const [client, server] = Object.values(new WebSocketPair());
    if (where === "standard") standard(server, this.log);
    else if (where === "half") {
      // Both are the object's: none is left for the client.
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: what === "server" ? server : (client.accept(), client) });
    } else if (where === "early") {
      this.ctx.acceptWebSocket(server);
      server.send("before the answer");
      server.serializeAttachment("early");
      if (what === "closed") server.close(4005, "and closed");
    } else {
      this.ctx.acceptWebSocket(server, ["client", what]);
      server.serializeAttachment(what);
    }
    return upgrade(client, request);
  }
  async webSocketMessage(ws, message) {
    if (typeof message !== "string" || !message.startsWith("!")) return ws.send(message);
    const [command, ...rest] = message.slice(1).split(" ");
    await COMMANDS[command](this, ws, rest.join(" "));
  }
  async webSocketClose(ws, code, reason, wasClean) {
    this.log.push(`close ${code} ${shown(reason)} ${wasClean} tags ${this.ctx.getTags(ws)} attachment ${ws.deserializeAttachment()}`);
    this.log.push(`listed ${this.ctx.getWebSockets().includes(ws)}`);
    if (reason === "throw") throw new Error("of a close handler");
    if (reason !== "leave") ws.close(code === 1005 || code === 1006 ? 1000 : code, reason);
  }
  async webSocketError(ws, error) {
    this.log.push(`error of ${ws.deserializeAttachment()}`);
    if (ws.deserializeAttachment() === "throw") throw new Error("of an error handler");
  }
  async alarm(info) {
    this.log.push(`alarm ${info.retryCount} ${info.isRetry} ${await this.ctx.storage.getAlarm()}`);
    if (this.blocksInAlarm) await this.ctx.blockConcurrencyWhile(async () => Promise.reject(new Error("of blocking")));
    if (this.replaces) {
      this.replaces = false;
      await this.ctx.storage.setAlarm(Date.now() + 300);
      throw new Error("of an alarm");
    }
    if (this.empties) {
      this.empties = false;
      await this.ctx.storage.setAlarm(4102444800000);
      await this.ctx.storage.deleteAll();
    }
    if (this.ctx.storage.kv.get("tells")) {
      for (const socket of this.ctx.getWebSockets()) socket.send(`awake ${this.ctx.id.name}`);
    }
    if (this.failures-- > 0) throw new Error("of an alarm");
    if (this.chained-- > 0) await this.ctx.storage.setAlarm(Date.now());
  }
  async preShutdown(info) {
    if (this.ctx.storage.kv.get("before")) this.ctx.storage.kv.put("left", info.reason);
  }
  add(a, b) {
    return a + b;
  }
  give(value) {
    return value;
  }
  fail() {
    throw new TypeError("of a method");
  }
  call(callback) {
    return callback(2);
  }
  abandon() {
    this.ctx.abort("of mine");
  }
  breakIt() {
    return this.ctx.blockConcurrencyWhile(async () => {
      throw new Error("of blocking");
    });
  }
  number() {
    return this.instance;
  }
  failOwn() {
    throw Object.assign(new Error("with a mark"), { custom: 5 });
  }
  giveFunction() {
    return (n) => n + 1;
  }
  giveNothing() {}
  async ring(other, depth) {
    return depth ? 1 + (await this.env.ROOM.getByName(other).ring(this.ctx.id.name, depth - 1)) : 0;
  }
  async circle(depth) {
    return depth ? 1 + (await this.env.SHELF.getByName("circle").circle(depth - 1)) : 0;
  }
  ringBlocked(other) {
    return this.ctx.blockConcurrencyWhile(() => this.env.ROOM.getByName(other).number());
  }
  async later() {
    await sleep(5);
    return "later";
  }
  async increment(pause) {
    const n = (await this.ctx.storage.get("n")) ?? 0;
    if (pause) await sleep(10);
    await this.ctx.storage.put("n", n + 1);
    return n + 1;
  }
}

const EVERY_WORKER_PROBE = { ...WORKER_PROBES, ...CALL_PROBES, ...OUTGOING_PROBES, ...SERVICE_PROBES, ...FAILING_OUTGOING };

const LOG = [];
let returned;

function plain(request, what) {
  if (what === "log") return Response.json(LOG);
  if (what === "refused") return new Response("not you", { status: 403 });
  if (what === "throws") throw new Error("of the Worker");
  const [client, server] = Object.values(new WebSocketPair());
  if (what === "nosocket") return new Response(null, { status: 101 });
  if (what === "with200") return new Response(null, { status: 200, webSocket: client });
  if (what === "accepted") client.accept();
  if (what === "twice") return new Response(null, { status: 101, webSocket: (returned ??= client) });
  if (what === "once") {
    server.accept();
    server.send("before you came");
    server.close(4003, "and gone");
  } else standard(server, LOG, what === "half" ? { allowHalfOpen: true } : undefined);
  return upgrade(client, request);
}

export default {
  async fetch(request, env) {
    const [, where, name, what] = decodeURIComponent(new URL(request.url).pathname).split("/");
    if (where === "plain") return plain(request, what);
    if (where === "store") return await env.STORE.fetch(request);
    if (where === "shelf") return await env.SHELF.getByName(name).fetch(request);
    if (where === "worker") {
      const lines = new Lines();
      await EVERY_WORKER_PROBE[what](env, name, lines, new URL(request.url).searchParams.get("origin"));
      return Response.json(lines);
    }
    return await env.ROOM.getByName(name).fetch(request);
  },
};
