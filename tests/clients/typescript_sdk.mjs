// The official TypeScript SDK against an API: `node typescript_sdk.mjs BASE TOKEN`. Prints what it saw as one JSON object.
import Cloudflare from "cloudflare";

const [baseURL, apiToken] = process.argv.slice(2);
const client = new Cloudflare({ apiToken, baseURL, maxRetries: 0, timeout: 20_000 });
const seen = {};

const all = async (list) => {
  const found = [];
  for await (const one of list) found.push(one);
  return found;
};
const refused = async (promise) => {
  try {
    await promise;
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, codes: error.errors.map((one) => one.code) };
  }
};

const [account] = await all(client.accounts.list());
for (let number = 0; number < 7; number += 1) {
  await client.zones.create({ account: { id: account.id }, name: `ts-${number}.example`, type: "full" });
}
const zones = await all(client.zones.list({ name: "starts_with:ts-", per_page: 5, order: "name" }));
seen.zones = zones.map((zone) => zone.name);
const zone_id = zones[0].id;
seen.zone = (await client.zones.get({ zone_id })).plan.legacy_id;
seen.paused = (await client.zones.edit({ zone_id, paused: true })).paused;

seen.before = (await client.zones.settings.get("websockets", { zone_id })).value;
seen.after = (await client.zones.settings.edit("websockets", { zone_id, value: "off" })).value;

const record = await client.dns.records.create({ zone_id, type: "A", name: "www", content: "192.0.2.1", ttl: 1 });
await client.dns.records.edit(record.id, { zone_id, type: "A", name: "www", content: "192.0.2.2", ttl: 60 });
const batch = await client.dns.records.batch({
  zone_id,
  deletes: [{ id: record.id }],
  posts: [{ type: "AAAA", name: "six", content: "2001:db8::1", ttl: 1 }],
});
seen.batch = [batch.deletes.length, batch.posts.length];
seen.records = (await all(client.dns.records.list({ zone_id }))).map((one) => `${one.type} ${one.name} ${one.content}`);

const ruleset = await client.rulesets.phases.update("http_request_origin", {
  zone_id,
  rules: [{ action: "route", expression: "true", action_parameters: { origin: { port: 8080 } } }],
});
seen.rules = (await client.rulesets.phases.get("http_request_origin", { zone_id })).rules.map((rule) => rule.expression);
const listed = await all(client.rulesets.list({ zone_id }));
seen.rulesets = listed.filter((one) => one.kind === "zone").map((one) => one.id === ruleset.id);
seen.managed = listed.some((one) => one.kind === "managed");
const custom = await client.rulesets.create({
  zone_id,
  kind: "zone",
  name: "custom",
  phase: "http_request_firewall_custom",
  rules: [{ action: "block", expression: 'ip.src eq 192.0.2.1' }],
});
const more = await client.rulesets.rules.create(custom.id, {
  zone_id,
  action: "skip",
  action_parameters: { ruleset: "current" },
  expression: "ssl",
  position: { index: 1 },
});
seen.custom = more.rules.map((rule) => rule.action);
seen.versions = (await all(client.rulesets.versions.list(custom.id, { zone_id }))).map((one) => one.version);
await client.rulesets.delete(custom.id, { zone_id });

const groups = await all(client.user.tokens.permissionGroups.list());
const read = groups.find((group) => group.name === "Zone Read");
const token = await client.user.tokens.create({
  name: "of one zone",
  policies: [
    {
      effect: "allow",
      resources: { [`com.cloudflare.api.account.zone.${zone_id}`]: "*" },
      permission_groups: [{ id: read.id }],
    },
  ],
});
const reader = new Cloudflare({ apiToken: token.value, baseURL, maxRetries: 0 });
seen.verified = (await reader.user.tokens.verify()).status;
seen.visible = (await all(reader.zones.list())).map((zone) => zone.name);
seen.forbidden = await refused(reader.zones.settings.edit("websockets", { zone_id, value: "on" }));
seen.rolled = (await client.user.tokens.value.update(token.id, { body: {} })) !== token.value;
seen.stale = await refused(reader.user.tokens.verify());
await client.user.tokens.delete(token.id);

seen.bad = await refused(client.zones.settings.edit("websockets", { zone_id, value: "perhaps" }));
seen.missing = await refused(client.zones.get({ zone_id: "0".repeat(32) }));
seen.audited = (await all(client.auditLogs.list({ account_id: account.id, per_page: 1000 }))).length > 10;
seen.plans = (await all(client.zones.plans.list({ zone_id }))).length;
seen.ips = (await client.ips.list()).ipv4_cidrs.length > 0;
for (const zone of zones) await client.zones.delete({ zone_id: zone.id });
seen.left = (await all(client.zones.list({ name: "starts_with:ts-" }))).length;
console.log(JSON.stringify(seen));
