// Sends signed orders to a venue over keep-alive connections as fast as it answers: node venue-load.mjs '{"port":…}'.
import { createHmac } from "node:crypto";
import { connect } from "node:net";

const { port, key, secret, count, connections } = JSON.parse(process.argv[2] ?? "{}");
const requests = Array.from({ length: count }, (_, index) => requestOf(index));
const latencies = new Float64Array(count);
let sent = 0;
let accepted = 0;

process.send?.("ready");
process.once("message", () => {
  const started = performance.now();
  let open = connections;
  for (let index = 0; index < connections; index += 1) {
    talk(() => {
      open -= 1;
      if (open > 0) return;
      const seconds = (performance.now() - started) / 1000;
      latencies.sort();
      const at = (share) => latencies[Math.floor(share * (count - 1))];
      process.send?.({ seconds, accepted, p50: at(0.5), p99: at(0.99) });
      process.disconnect?.();
    });
  }
});

function talk(done) {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  let current = -1;
  let begun = 0;
  let received = "";
  const next = () => {
    if (sent === count) {
      socket.end();
      return done();
    }
    current = sent;
    sent += 1;
    begun = performance.now();
    socket.write(requests[current]);
  };
  socket.once("connect", next);
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    const head = received.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
    if (received.length < head + 4 + length) return;
    if (received.startsWith("HTTP/1.1 200")) accepted += 1;
    latencies[current] = performance.now() - begun;
    received = "";
    next();
  });
}

/** Seven of ten orders rest below the price, three take from the market. */
function requestOf(index) {
  const price = index % 10 < 7 ? (50_000 + (index % 900) + (index % 97) / 100).toFixed(2) : "60000.00";
  const query = `symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=${price}&newClientOrderId=b${index}&recvWindow=60000&timestamp=${Date.now()}`;
  const signature = createHmac("sha256", secret).update(query).digest("hex");
  const body = `${query}&signature=${signature}`;
  return Buffer.from(
    `POST /api/v3/order HTTP/1.1\r\nHost: 127.0.0.1\r\nX-MBX-APIKEY: ${key}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}
