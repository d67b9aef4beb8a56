# workerd with the JavaScript twin.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .twin),
    (name = "disk", disk = (writable = true)),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ],
);

const twin :Workerd.Worker = (
  modules = [ (name = "twin.js", esModule = embed "twin.js") ],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "Echo", uniqueKey = "twin-Echo", enableSql = true),
    (className = "Crowd", uniqueKey = "twin-Crowd", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "ECHO", durableObjectNamespace = "Echo"),
    (name = "CROWD", durableObjectNamespace = "Crowd"),
  ],
);
