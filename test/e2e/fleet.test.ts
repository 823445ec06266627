/** A fleet of real processes: started, killed, and whole again. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithServers } from "../support/servers/private-server.ts";
import { FleetLab, summarize, timeOf } from "./fleet-lab.ts";

describeWithServers(["etcd", "postgres"], "a fleet of processes", () => {
  let lab: FleetLab;

  beforeAll(async () => {
    lab = await FleetLab.open({ symbols: 60 });
  }, 120_000);
  afterAll(async () => {
    await lab.close();
  });

  it("shares the symbols, and survives a kill", async () => {
    const actives = ["a", "b", "c"].map((id) => lab.start(id));
    const standby = lab.start("s", { standby: true });
    const trading = (
      await Promise.all(
        actives.map(({ command }) => command.line(({ event }) => event === "instance.started")),
      )
    ).length;
    expect(trading).toBe(3);
    await standby.command.line(({ event }) => event === "instance.started");
    const deadline = performance.now() + 20_000;
    for (;;) {
      const count = actives.flatMap(({ command }) =>
        command.lines.filter(({ event }) => event === "bot.trading"),
      ).length;
      if (count >= 60) break;
      if (performance.now() > deadline)
        throw new Error(
          `only ${count}: ${JSON.stringify(await lab.holders())} ${actives
            .map((a) =>
              a.command.lines
                .slice(-5)
                .map((l) => JSON.stringify(l))
                .join("\n"),
            )
            .join("\n---\n")}`,
        );
      await new Promise((r) => setTimeout(r, 100));
    }
    console.log(await lab.holders());
    const victim = actives[1];
    const killed = Date.now();
    victim?.command.kill("SIGKILL");
    const n = (await lab.holders())["b"] ?? 0;
    const claims = await standby.command.linesMatching(({ event }) => event === "bot.claimed", n);
    const trades = await standby.command.linesMatching(({ event }) => event === "bot.trading", n);
    console.log(
      "claims",
      summarize(claims.map((l) => timeOf(l) - killed)),
      "trading",
      summarize(trades.map((l) => timeOf(l) - killed)),
    );
    console.log(await lab.holders());
    console.log(
      standby.command.lines
        .filter(({ event }) => !event.startsWith("bot."))
        .map((l) => JSON.stringify(l))
        .join("\n"),
    );
  }, 120_000);
});
