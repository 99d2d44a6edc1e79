/**
 * The report as a page of its own: no script, nothing loaded from elsewhere, readable in light and
 * dark and on paper. Pure.
 */
import type { Stage } from './measures.ts';
import { stages } from './measures.ts';
import { escape, plotSvg } from './plot.ts';
import type { LoadReport } from './report.ts';
import { lagLine, partLines, stageTexts } from './report.ts';

const style = `
:root { color-scheme: light dark; --ink: #16202a; --soft: #5c6b7a; --rule: #d9e0e6; --paper: #fbfcfd; --card: #fff; --a: #0b6bcb; --b: #c2410c; --c: #15803d; --d: #7c3aed; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #93a1b0; --rule: #2b3540; --paper: #0f151b; --card: #161d25; --a: #5aa9f8; --b: #fb923c; --c: #4ade80; --d: #b794f6; --bad: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem clamp(1rem, 4vw, 3rem); background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1120px; margin: 0 auto; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .6rem; }
p { margin: .2rem 0; color: var(--soft); }
.warn { color: var(--bad); font-weight: 600; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; margin: 1.4rem 0 0; padding: 0; }
.figures div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .7rem .9rem; }
.figures dt { color: var(--soft); font-size: .8rem; }
.figures dd { margin: 0; font-size: 1.45rem; font-variant-numeric: tabular-nums; }
.figures small { font-size: .8rem; color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .9rem; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick, .axis { fill: var(--soft); font-size: 12px; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.dashed { stroke-dasharray: 5 4; }
.line.a { stroke: var(--a); } .line.b { stroke: var(--b); } .line.c { stroke: var(--c); } .line.d { stroke: var(--d); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: .5rem 0 0; padding: 0; color: var(--soft); font-size: .85rem; }
.swatch { display: inline-block; width: .9rem; height: .22rem; margin-right: .4rem; vertical-align: middle; border-radius: 2px; }
.swatch.a { background: var(--a); } .swatch.b { background: var(--b); } .swatch.c { background: var(--c); } .swatch.d { background: var(--d); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
th, td { padding: .4rem .8rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 600; font-size: .85rem; }
tr:last-child td { border-bottom: 0; }
`;

export function reportPage(report: LoadReport): string {
  const { plan, latency, injector } = report;
  const title = `Load of ${plan.stream}`;
  const lag = lagLine(report);
  const parts = partLines(report)
    .map((line) => `<p>${escape(line.charAt(0).toUpperCase() + line.slice(1))}.</p>`)
    .join('');
  const note = `<p${injector.keptUp ? '' : ' class="warn"'}>${escape(lag.charAt(0).toUpperCase() + lag.slice(1))}.</p>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)}</title><style>${style}</style></head>
<body><main><h1>${escape(title)}</h1>
<p>${escape(planText(report))}</p>${parts}${note}
<dl class="figures">${[
    figure('Accepted', String(report.accepted), `of ${report.intended} intended`),
    figure(
      'Events a second',
      report.eventsPerSecond.toFixed(0),
      `${(report.bytes / report.seconds / 1_048_576).toFixed(1)} MiB/s of data`,
    ),
    figure('Median', ms(latency.endToEnd.p50), 'end to end'),
    figure('99 %', ms(latency.endToEnd.p99), 'end to end'),
    figure('99.9 %', ms(latency.endToEnd.p999), 'end to end'),
    figure(
      'Not accepted',
      String(report.sent - report.accepted + report.notSent),
      `${report.notSent} not sent, ${report.unanswered} unanswered`,
    ),
  ].join('')}</dl>
<h2>Latency</h2><div class="plots">${percentilePlot(report)}${timePlot(report)}</div>
<div class="wide">${latencyTable(report)}</div>
<h2>Throughput</h2><div class="plots">${ratePlot(report)}<div>${countTable('Answers', report.statuses)}${countTable('Acknowledged as', report.acks)}${countTable('Route', report.routes)}${countTable('Errors', report.errors)}</div></div>
<p>End to end counts from when a request was due, so a server that stalls is charged for what waited meanwhile; “when it was sent” is beside it.</p>
</main></body></html>
`;
}

function planText({ plan }: LoadReport): string {
  const ramp =
    plan.rampFrom === undefined ? '' : `, rising from ${plan.rampFrom} over the first half`;
  const parts = plan.parts > 1 ? ` in each of ${plan.parts} parts` : '';
  return `${plan.target} over ${plan.protocol}: ${plan.rate} events/s${ramp}, ${plan.sizeBytes} bytes each, ${plan.connections} connections${parts}, ${plan.durationSeconds} s.`;
}

function figure(name: string, value: string, more: string): string {
  return `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd><small>${escape(more)}</small></div>`;
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;
}

const tones: Readonly<Record<Stage, 'a' | 'b' | 'c' | 'd' | undefined>> = {
  endToEnd: 'a',
  service: undefined,
  network: 'b',
  processing: 'c',
  bus: 'd',
};

/**
 * Percentiles by their nines, as HdrHistogram plots them: 90, 99, 99.9 are as far from each other.
 */
function percentilePlot({ percentiles, latency }: LoadReport): string {
  const nines = (percentile: number): number => -Math.log10(1 - Math.min(percentile, 99.995) / 100);
  const lines = stages.flatMap((stage) => {
    const tone = tones[stage];
    if (tone === undefined || latency[stage].count === 0) return [];
    const points = percentiles[stage]
      .filter(([percentile]) => percentile < 100)
      .map(([percentile, value]) => [nines(percentile), value] as const);
    return [{ name: stageTexts[stage], tone, points }];
  });
  const xMarks = [0, 90, 99, 99.9, 99.99].map(
    (percentile) => [nines(percentile), `${percentile} %`] as const,
  );
  return plotSvg({
    title: 'Latency by percentile',
    xLabel: 'percentile',
    yLabel: 'ms',
    lines,
    xMarks,
  });
}

function timePlot({ bySecond }: LoadReport): string {
  const line = (name: string, tone: 'a' | 'b', of: 'p50' | 'p99') => ({
    name,
    tone,
    points: bySecond.map((row) => [row.at, row[of]] as const),
  });
  return plotSvg({
    title: 'Latency over time',
    xLabel: 'seconds',
    yLabel: 'ms',
    lines: [line('99 % of each second', 'b', 'p99'), line('median', 'a', 'p50')],
    xMarks: secondMarks(bySecond.length),
  });
}

function ratePlot({ bySecond }: LoadReport): string {
  return plotSvg({
    title: 'Events a second',
    xLabel: 'seconds',
    yLabel: 'events/s',
    lines: [
      {
        name: 'intended',
        tone: 'd',
        dashed: true,
        points: bySecond.map(({ at, intended }) => [at, intended] as const),
      },
      {
        name: 'answered',
        tone: 'c',
        points: bySecond.map(({ at, answered }) => [at, answered] as const),
      },
    ],
    xMarks: secondMarks(bySecond.length),
  });
}

function secondMarks(seconds: number): readonly (readonly [number, string])[] {
  const step = Math.max(1, Math.ceil(seconds / 8));
  return Array.from(
    { length: Math.floor(Math.max(0, seconds - 1) / step) + 1 },
    (_, index) => [index * step, String(index * step)] as const,
  );
}

function latencyTable({ latency }: LoadReport): string {
  const rows = stages
    .filter((stage) => latency[stage].count > 0)
    .map((stage) => {
      const { p50, p90, p99, p999, max, mean } = latency[stage];
      const cells = [p50, p90, p99, p999, max, mean].map(
        (value) => `<td>${value < 10 ? value.toFixed(2) : value.toFixed(1)}</td>`,
      );
      return `<tr><td>${escape(stageTexts[stage])}</td>${cells.join('')}</tr>`;
    });
  const heads = ['ms', '50 %', '90 %', '99 %', '99.9 %', 'max', 'mean']
    .map((name) => `<th scope="col">${name}</th>`)
    .join('');
  return `<table style="margin-top:1rem"><thead><tr>${heads}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function countTable(name: string, counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts);
  if (entries.length === 0) return '';
  const rows = entries
    .map(([what, count]) => `<tr><td>${escape(what)}</td><td>${escape(String(count))}</td></tr>`)
    .join('');
  return `<table style="margin-bottom:1rem"><thead><tr><th scope="col">${escape(name)}</th><th scope="col">events</th></tr></thead><tbody>${rows}</tbody></table>`;
}
