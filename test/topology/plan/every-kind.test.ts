/**
 * What is written down about a topology, or read by people, stays as it is: drawings, definitions
 * in checkpoints, slots of functions and problems, pinned for a topology with a node of every kind.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { keySlotsOf } from '../../../topology/checkpoint/key-examples.ts';
import { statefulNodes } from '../../../topology/checkpoint/manifest.ts';
import type { Topology } from '../../../topology/index.ts';
import { describePlan, paneWarnings, validateTopology } from '../../../topology/index.ts';
import { slotsOf } from '../../../topology/operators/kinds.ts';
import { root } from '../../repo/support.ts';
import { everyKind, everyMistake } from './every-kind.ts';

/** All that is said of a topology, JSON-safe. */
function saidOf(topology: Topology): unknown {
  const { plan } = topology;
  return JSON.parse(
    JSON.stringify({
      graph: JSON.parse(describePlan(plan, 'json')),
      mermaid: describePlan(plan, 'mermaid').split('\n'),
      dot: describePlan(plan, 'dot').split('\n'),
      stateful: statefulNodes(plan),
      slots: Object.fromEntries(plan.nodes.map((node) => [node.id, slotsOf(node)])),
      keySlots: Object.fromEntries(plan.nodes.map((node) => [node.id, keySlotsOf(node)])),
      problems: validateTopology(topology),
      warnings: paneWarnings(plan),
    }),
  );
}

const pinned = JSON.parse(
  readFileSync(join(root, 'test', 'topology', 'plan', 'every-kind.json'), 'utf8'),
) as Readonly<Record<string, unknown>>;

it('has a node of each kind that is pinned', () => {
  const found = new Set(everyKind.plan.nodes.map(({ kind }) => kind));
  expect(found.size).toBe(14);
});

it('a topology of every kind is drawn, fingerprinted and asked for functions as before', () => {
  expect(saidOf(everyKind)).toEqual(pinned['everyKind']);
  expect(validateTopology(everyKind)).toEqual([]);
});

it('what each kind refuses is told in the same words', () => {
  expect(saidOf(everyMistake)).toEqual(pinned['everyMistake']);
  expect(validateTopology(everyMistake).length).toBeGreaterThan(30);
});
