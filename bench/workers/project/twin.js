// The objects of worker.py, for workerd, line for line.
import { DurableObject } from "cloudflare:workers";

let made = 0;

class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    made += 1;
  }
  async fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketClose(ws, code, reason, wasClean) {
    ws.close(code, reason);
  }
}

export class Echo extends Room {
  async webSocketMessage(ws, message) {
    ws.send(message);
  }
}

export class Crowd extends Room {
  async webSocketMessage(ws, message) {
    for (const one of this.ctx.getWebSockets()) one.send(message);
  }
}

export default {
  async fetch(request, env) {
    const [kind, name] = new URL(request.url).pathname.slice(1).split("/");
    if (kind === "made") return new Response(String(made));
    return await env[kind.toUpperCase()].getByName(name).fetch(request);
  },
};
