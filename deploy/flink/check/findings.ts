/**
 * `topology check --for flink`: what of a topology cannot run on Flink, or may differ there, as
 * findings with the places that its author wrote.
 */
import { readFileSync } from 'node:fs';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { writtenPlaces } from '../../host/author-places.ts';
import type { CheckTarget, TargetFindings } from '../../host/topology-check.ts';
import type { Finding, MadeOf } from '../../host/worker-protocol.ts';
import { evaluateForFlink } from './evaluate.ts';
import type { FlinkFinding } from './flink-check.ts';
import { checkForFlink } from './flink-check.ts';

export const flinkTarget: CheckTarget = { check: checkMade, evaluate: evaluatedFindings };

/** `script`: the compiled topology that was tried. */
function checkMade({ plan, slots, places }: MadeOf, script: string): TargetFindings {
  const made = places.flatMap(({ at }) => (at === undefined ? [] : [at]));
  const found = checkForFlink({ plan, slots, made, script: readFileSync(script, 'utf8') });
  const written = writtenPlaces(script);
  const findingOf = ({ nodes, message, fix, at }: FlinkFinding): Finding => {
    const [node = null, ...more] = nodes;
    const also = more.length === 0 ? '' : ` (also in ${more.join(', ')})`;
    const ofNode = places.find((place) => place.node === node)?.place ?? null;
    const place = (at === undefined ? undefined : written(at)) ?? ofNode;
    return { kind: 'flink', node, place, message: `${message}${also}`, fix };
  };
  const of = (asked: FlinkFinding['severity']): readonly Finding[] =>
    found.filter(({ severity }) => severity === asked).map(findingOf);
  return { findings: of('problem'), warnings: of('warning') };
}

/**
 * What is only seen when the topology is evaluated as a Flink job does it: without Node, and twice.
 */
async function evaluatedFindings(file: string, clock: Clock): Promise<readonly Finding[]> {
  const { problem } = await evaluateForFlink(file, 'problem', clock);
  if (problem === undefined) return [];
  const { message, fix = 'correct what the message names' } = problem;
  return [{ kind: 'flink', node: null, place: null, message, fix }];
}
