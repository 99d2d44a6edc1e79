/**
 * What of a topology cannot run on Flink, or may differ there, as findings with the places that its
 * author wrote.
 */
import { readFileSync } from 'node:fs';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { EngineVerdict, FlinkFinding } from '../flink/check/flink-check.ts';
import { checkForFlink } from '../flink/check/flink-check.ts';
import type { Place } from './author-places.ts';
import { writtenPlaces } from './author-places.ts';
import type { Finding, MadeOf } from './worker-protocol.ts';

/** An engine of functions on Flink, and what keeps it from running these. */
export interface FlinkEngineCheck extends Pick<EngineVerdict, 'engine' | 'built'> {
  readonly lacks: readonly { readonly found: string; readonly place: Place | null }[];
}

export interface FlinkFindings {
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly engines: readonly FlinkEngineCheck[];
}

/** `script`: the compiled topology that was tried. */
export function checkMadeForFlink({ plan, slots, places }: MadeOf, script: string): FlinkFindings {
  const made = places.flatMap(({ at }) => (at === undefined ? [] : [at]));
  const text = readFileSync(script, 'utf8');
  const verdict = checkForFlink({ plan, slots, made, script: text });
  const written = writtenPlaces(script);
  const findingOf = ({ nodes, message, fix, at }: FlinkFinding): Finding => {
    const [node = null, ...more] = nodes;
    const also = more.length === 0 ? '' : ` (also in ${more.join(', ')})`;
    const ofNode = places.find((place) => place.node === node)?.place ?? null;
    const place = (at === undefined ? undefined : written(at)) ?? ofNode;
    return { kind: 'flink', node, place, message: `${message}${also}`, fix };
  };
  const of = (asked: FlinkFinding['severity']): readonly Finding[] =>
    verdict.findings.filter(({ severity }) => severity === asked).map(findingOf);
  const engines = verdict.engines.map(({ engine, built, lacks }) => ({
    ...{ engine, built },
    lacks: lacks.map(({ found, at }) => ({
      found,
      place: (at === undefined ? undefined : written(at)) ?? null,
    })),
  }));
  return { findings: of('problem'), warnings: of('warning'), engines };
}

/**
 * What is only seen when the topology is evaluated as a Flink job does it: without Node, and twice.
 * It was loaded before, in a process of its own.
 */
export async function evaluatedFindings(file: string): Promise<readonly Finding[]> {
  const { bundleForFlink } = await import('../flink/bundle.ts');
  try {
    await bundleForFlink(file);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    const { message, fix = 'correct what the message names' } = thrown;
    return [{ kind: 'flink', node: null, place: null, message, fix }];
  }
}
