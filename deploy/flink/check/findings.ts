/**
 * `topology check --for flink`: what of a topology cannot run on Flink, or may differ there, as
 * findings with the places that its author wrote.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { limits } from '../../../schemas/limits.ts';
import { writtenPlaces } from '../../host/author-places.ts';
import type { CheckTarget, TargetFindings } from '../../host/topology-check.ts';
import type { Finding, MadeOf } from '../../host/worker-protocol.ts';
import type { FlinkFinding } from './flink-check.ts';
import { checkForFlink } from './flink-check.ts';

const child = fileURLToPath(new URL('./evaluate-child.js', import.meta.url));
const lastWordsMaxChars = 400;

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

/** What the process that evaluates a topology says. */
export interface Evaluated {
  readonly problem?: { readonly message: string; readonly fix: string };
}

/**
 * What is only seen when the topology is evaluated as a Flink job does it: without Node, and twice.
 * It is done in a process of its own, which ends within bounds, whatever the author's code does.
 */
function evaluatedFindings(file: string, clock: Clock): Promise<readonly Finding[]> {
  const evaluating = fork(child, [file], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  return new Promise((resolve) => {
    let lastWords = '';
    const settle = (problem: Evaluated['problem']): void => {
      timer.cancel();
      evaluating.kill('SIGKILL');
      const place = null;
      resolve(problem === undefined ? [] : [{ kind: 'flink', node: null, place, ...problem }]);
    };
    const fix = 'a topology only describes what to do: remove loops and waits from its modules';
    const maxMs = limits.topologyLoadMaxMs + limits.topologyTrialMaxMs;
    const timer = clock.setTimer(maxMs, () =>
      settle({ message: `${file} was not evaluated within ${maxMs / 1_000} s`, fix }),
    );
    evaluating.stderr?.on('data', (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-lastWordsMaxChars);
    });
    evaluating.once('message', ({ problem }: Evaluated) => settle(problem));
    evaluating.once('error', ({ message }) => settle({ message, fix }));
    evaluating.once('close', (code, killed) => {
      const how = `${killed ?? `exit code ${code}`}${lastWords === '' ? '' : `: ${lastWords.trim()}`}`;
      settle({ message: `${file} ended the process that evaluated it (${how})`, fix });
    });
  });
}
