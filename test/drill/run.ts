/**
 * `npm run drill`: faults under load against a real process, on loopback only. For each: sent,
 * acknowledged, found in the stream, lost, duplicated. Nothing that was acknowledged as replicated
 * or spooled may be lost, ever.
 */
import { runScenarios } from './run-scenarios.ts';
import { scenarios } from './scenarios.ts';

await runScenarios(scenarios, ({ sent, acknowledged, byAck, found, lost, duplicated }) => {
  const acks = Object.entries(byAck).map(([ack, count]) => `${count} ${ack}`);
  return `sent ${sent}, acknowledged ${acknowledged} (${acks.join(', ')}), found ${found}, lost ${lost}, duplicated ${duplicated}`;
});
