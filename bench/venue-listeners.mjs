// Opens many ticker streams of a venue and says how late its updates come: node venue-listeners.mjs '{"port":…}'.
import { once } from "node:events";
import { WebSocket } from "ws";

const { port, connections, seconds, stream } = JSON.parse(process.argv[2] ?? "{}");
const OPENED_AT_ONCE = 100;
const lags = [];
let isCounting = false;
let cut = 0;

for (let opened = 0; opened < connections; opened += OPENED_AT_ONCE) {
  const count = Math.min(OPENED_AT_ONCE, connections - opened);
  await Promise.all(Array.from({ length: count }, listen));
}
process.send?.("ready");
await once(process, "message");
isCounting = true;
setTimeout(() => {
  lags.sort((a, b) => a - b);
  const at = (share) => lags[Math.floor(share * (lags.length - 1))];
  process.send?.({ updates: lags.length, cut, p50: at(0.5), p99: at(0.99) }, () => process.exit());
}, seconds * 1000);

async function listen() {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/${stream}`, { perMessageDeflate: false });
  socket.on("close", () => (cut += 1));
  socket.on("message", (data) => {
    if (isCounting) lags.push(Date.now() - Number(/"E":(\d+)/.exec(data.toString("latin1"))?.[1]));
  });
  await once(socket, "open");
}
