// Probes of what fails and is undone: FAILING_PROBES and FAILING_OUTGOING of twin_failing.py.
import { shown, sleep } from "twin_words.js";

const throws = (text) => {
  throw new Error(text);
};

export const FAILING_PROBES = {
  async "block in request"(room, lines) {
    await lines.tries("it", () => room.ctx.blockConcurrencyWhile(async () => throws("of blocking")));
  },
  async "block in alarm"(room) {
    room.blocksInAlarm = true;
    await room.ctx.storage.setAlarm(Date.now());
  },
  async replacing(room) {
    room.replaces = true;
    await room.ctx.storage.setAlarm(Date.now());
  },
  async emptying(room) {
    await room.ctx.storage.put("kept", 1);
    room.empties = true;
    await room.ctx.storage.setAlarm(Date.now());
  },
  async emptied(room, lines) {
    await lines.tries("alarm", () => room.ctx.storage.getAlarm());
    await lines.tries("kept", () => room.ctx.storage.get("kept"));
  },
  async "failing twice"(room) {
    room.failures = 2;
    await room.ctx.storage.setAlarm(Date.now());
  },
  async "more transactions"(room, lines) {
    const storage = room.ctx.storage;
    await storage.put("a", 0);
    await lines.tries("inner throws", () =>
      storage.transaction(async (outer) => {
        await outer.put("a", 1);
        try {
          await storage.transaction(async (inner) => {
            await inner.put("a", 2);
            throw new Error("inner");
          });
        } catch (error) {
          return [error.message, await outer.get("a")];
        }
      }),
    );
    await lines.tries("a", () => storage.get("a"));
    await lines.tries("outer throws", () =>
      storage.transaction(async (outer) => {
        await storage.transaction(async (inner) => await inner.put("a", 3));
        throw new Error("outer");
      }),
    );
    await lines.tries("a", () => storage.get("a"));
    await lines.tries("sql in one that throws", () => {
      storage.sql.exec("CREATE TABLE IF NOT EXISTS undone (a)");
      return storage.transaction(async () => {
        storage.sql.exec("INSERT INTO undone VALUES (1)");
        storage.kv.put("a", 4);
        throw new Error("undone");
      });
    });
    await lines.tries("rows", () => storage.sql.exec("SELECT count(*) AS n FROM undone").one());
    await lines.tries("a", () => storage.get("a"));
    await lines.tries("a table in one that throws", () =>
      storage.transactionSync(() => {
        storage.sql.exec("CREATE TABLE never (a)");
        throw new Error("never");
      }),
    );
    await lines.tries("tables", () => storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'never'").toArray());
    await lines.tries("delete in one that throws", () =>
      storage.transaction(async (txn) => {
        await txn.delete("a");
        throw new Error("back");
      }),
    );
    await lines.tries("a", () => storage.get("a"));
    await lines.tries("a statement that fails within", () =>
      storage.transactionSync(() => {
        storage.kv.put("a", 5);
        try {
          storage.sql.exec("INSERT INTO undone VALUES (1, 2)");
        } catch {}
        return storage.kv.get("a");
      }),
    );
    await lines.tries("a", () => storage.get("a"));
    await lines.tries("rollback twice", () =>
      storage.transaction(async (txn) => {
        await txn.put("a", 6);
        txn.rollback();
        txn.rollback();
      }),
    );
    await lines.tries("a", () => storage.get("a"));
    await lines.tries("deleteAll in one", () =>
      storage.transaction(async () => {
        await storage.deleteAll();
      }),
    );
    await lines.tries("alarm in one that throws", () =>
      storage.transaction(async (txn) => {
        await txn.setAlarm(4102444800000);
        throw new Error("no alarm");
      }),
    );
    await lines.tries("alarm", () => storage.getAlarm());
    await lines.tries("transaction's own alarm", () =>
      storage.transaction(async (txn) => {
        await txn.setAlarm(4102444800000);
        return [await txn.getAlarm(), await txn.deleteAlarm(), await txn.getAlarm()];
      }),
    );
    await lines.tries("transactionSync of a promise", () => storage.transactionSync(async () => 1));
    await lines.tries("blocking within", () => storage.transaction(async () => await room.ctx.blockConcurrencyWhile(async () => 1)));
  },
  async sending(room, lines) {
    const [one, two] = Object.values(new WebSocketPair());
    room.ctx.acceptWebSocket(two);
    one.accept();
    one.binaryType = "arraybuffer";
    one.addEventListener("message", (event) => lines.push(`heard ${shown(event.data)}`));
    await lines.tries("text", () => two.send("text"));
    await lines.tries("bytes", () => two.send(new Uint8Array([1, 2])));
    await lines.tries("a part of bytes", () => two.send(new Uint8Array([1, 2, 3, 4]).subarray(1, 3)));
    await lines.tries("numbers of 16 bits", () => two.send(new Uint16Array([1, 256])));
    await lines.tries("a view", () => two.send(new DataView(new Uint8Array([7, 8, 9]).buffer, 1)));
    await lines.tries("a buffer", () => two.send(new Uint8Array([5]).buffer));
    await lines.tries("an empty text", () => two.send(""));
    await lines.tries("nothing", () => two.send());
    await sleep(50);
    await lines.tries("a close code that is text", () => two.close("4001", "text"));
    await sleep(50);
    lines.push(`states ${one.readyState} ${two.readyState}`);
  },
  async "accepting more"(room, lines) {
    const tags = ["größer 🎈", "a b", "ä".repeat(129), "\n"];
    await lines.tries("unicode tags", () => {
      const [, socket] = Object.values(new WebSocketPair());
      room.ctx.acceptWebSocket(socket, tags);
      return [room.ctx.getTags(socket)[0], room.ctx.getTags(socket)[2].length, room.ctx.getWebSockets("größer 🎈").length];
    });
    await lines.tries("emoji 65 times", () => {
      const [, socket] = Object.values(new WebSocketPair());
      room.ctx.acceptWebSocket(socket, ["🎈".repeat(65)]);
      return room.ctx.getTags(socket).length;
    });
    await lines.tries("the other half too", () => {
      const [one, two] = Object.values(new WebSocketPair());
      room.ctx.acceptWebSocket(one);
      room.ctx.acceptWebSocket(two);
    });
    await lines.tries("after close()", () => {
      const [, socket] = Object.values(new WebSocketPair());
      room.ctx.acceptWebSocket(socket, ["closed"]);
      socket.close(1000, "done");
      room.ctx.acceptWebSocket(socket);
    });
    await lines.tries("its tags", () => room.ctx.getTags(room.ctx.getWebSockets("closed")[0]));
    await lines.tries("attachment after close()", () => {
      const socket = room.ctx.getWebSockets("closed")[0];
      socket.serializeAttachment("late");
      return socket.deserializeAttachment();
    });
    await lines.tries("attachment of a standard socket", () => {
      const [, socket] = Object.values(new WebSocketPair());
      socket.accept();
      socket.serializeAttachment("standard");
      return socket.deserializeAttachment();
    });
    await lines.tries("tags of what is none", () => room.ctx.getTags({}));
    await lines.tries("sockets of no tag", () => room.ctx.getWebSockets(undefined).length > 0);
    await lines.tries("responses of the pair", () => {
      room.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("größer", "🎈"));
      const pair = room.ctx.getWebSocketAutoResponse();
      room.ctx.setWebSocketAutoResponse();
      return [pair.request, pair.response];
    });
    await lines.tries("2048 of two bytes", () => room.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ä".repeat(2048), "x")));
    await lines.tries("cleared", () => room.ctx.setWebSocketAutoResponse());
  },
};

export const FAILING_OUTGOING = {
  async "outgoing, closed early"(env, name, lines, base) {
    const url = base.replace("http", "ws") + "/echo";
    const noted = (label, socket) => {
      socket.addEventListener("open", () => lines.push(`${label}: open ${socket.readyState}`));
      socket.addEventListener("close", (event) => lines.push(`${label}: close ${event.code} ${shown(event.reason)} ${event.wasClean} state ${socket.readyState}`));
    };
    const early = new WebSocket(url);
    noted("early", early);
    await lines.tries("close while it connects", () => early.close(4001, "early"));
    lines.push(`state ${early.readyState}`);
    await sleep(300);
    lines.push(`state ${early.readyState}`);
    const wrong = new WebSocket(url);
    noted("wrong", wrong);
    await lines.tries("a code that may not be", () => wrong.close(1005));
    await lines.tries("a reason that is too long", () => wrong.close(1000, "x".repeat(124)));
    await sleep(200);
    lines.push(`state ${wrong.readyState}`);
    await lines.tries("accept of one that is", () => wrong.accept());
    wrong.close(1000, "enough");
    await sleep(200);
    lines.push(`state ${wrong.readyState}`);
    await lines.tries("send after it", () => wrong.send("late"));
    await lines.tries("close after it", () => wrong.close(4000, "late"));
    await lines.tries("as an answer", async () => new Response(null, { status: 101, webSocket: new WebSocket(url) }).status);
  },
};
