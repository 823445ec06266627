/** What an instance tells of its load, and how seldom. */
import { describe, expect, it } from "vitest";
import { LoadReport, loadScore, readLoad } from "../../../src/coordination/load-report.ts";

const scores = (loads: Readonly<Record<string, number>>): ReadonlyMap<string, number> =>
  new Map(Object.entries(loads));

describe("the load of a symbol", () => {
  it("counts an order as twenty events", () => {
    expect(loadScore({ events: 12, orders: 0.5 })).toBe(22);
  });
});

describe("the report of an instance's load", () => {
  it("tells the total and the sixteen hottest symbols", () => {
    const report = new LoadReport();
    const loads = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`S${index}`, index]));

    report.update(0, scores(loads));

    expect(report.told.total).toBe(780);
    expect(Object.keys(report.told.hottest)).toEqual(
      Array.from({ length: 16 }, (_, index) => `S${39 - index}`),
    );
  });

  it("tells nothing new for changes that move nothing, however many", () => {
    const report = new LoadReport();
    report.update(0, scores({ hot: 100, a: 10, b: 10 }));
    const { told } = report;

    for (let second = 1; second <= 600; second += 1) {
      report.update(1000 * second, scores({ hot: 100 + 8 * Math.sin(second), a: 11, b: 9 }));
      expect(report.told).toBe(told);
    }
  });

  it("tells a change of the total, of one symbol, and of two that change places", () => {
    for (const changed of [
      { hot: 120, a: 10, b: 10 },
      { hot: 100, a: 17, b: 3 },
      { a: 100, hot: 10, b: 10 },
    ]) {
      const report = new LoadReport();
      report.update(0, scores({ hot: 100, a: 10, b: 10 }));

      report.update(3000, scores(changed));

      expect(report.told.hottest).toEqual(changed);
    }
  });

  it("tells nothing more often than every three seconds, and then what is true by then", () => {
    const report = new LoadReport();
    const told = Array.from({ length: 60 }, (_, tenth) => {
      report.update(100 * tenth, scores({ hot: 2 ** (tenth + 2) }));
      return report.told;
    });

    expect(new Set(told).size).toBe(2);
    expect(report.told.hottest).toEqual({ hot: 2 ** 32 });
  });

  it("tells that a symbol has left", () => {
    const report = new LoadReport();
    report.update(0, scores({ hot: 100, a: 10 }));

    report.update(5000, scores({ a: 10 }));

    expect(report.told).toEqual({ total: 10, hottest: { a: 10 } });
  });
});

describe("a registration", () => {
  it("is read back as it was told", () => {
    const report = new LoadReport();
    report.update(0, scores({ hot: 100.25, a: 10 }));

    expect(readLoad(JSON.parse(JSON.stringify(report.told)))).toEqual(report.told);
  });

  it("has no load where somebody has written something else", () => {
    const strange = [
      undefined,
      null,
      7,
      {},
      { total: 1 },
      { total: "1", hottest: {} },
      { total: -1, hottest: {} },
    ];
    for (const value of [...strange, { total: 1, hottest: { a: "x" } }, { total: 1, hottest: null }]) {
      expect(readLoad(value)).toBeUndefined();
    }
  });
});
