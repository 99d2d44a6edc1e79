/**
 * From a topology's file to a build that could run: compiled, its types checked, and tried against
 * the last checkpoint, all beside the build that runs.
 */
import { relative } from 'node:path';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { builtFileOf, openBuiltTopology } from './built-topology.ts';
import { FileStamps } from './file-stamps.ts';
import { requireNone } from './findings.ts';
import type { CompiledTopology } from './topology-file.ts';
import { compileTopologyFile } from './topology-file.ts';
import { tryTopology } from './topology-trial.ts';
import type { TypeCheck } from './type-check.ts';
import { checkTypes } from './type-check.ts';
import type { TrialInput, WorkerFault } from './worker-protocol.ts';
import { faultOf } from './worker-protocol.ts';

export interface CandidateOptions {
  readonly file: string;
  readonly buildDir: string;
  readonly input: Omit<TrialInput, 'script' | 'file'>;
  readonly clock: Clock;
  /**
   * Whether it was built before (built-topology.ts): then nothing is compiled, and its types were
   * checked.
   */
  readonly built: boolean;
}

const checkedBefore: TypeCheck = { kind: 'checked', findings: [], note: undefined };

/**
 * What became of one try to make a build. `stamps`: the files whose change is worth another try.
 */
export interface Candidate {
  readonly stamps: FileStamps;
  /** Undefined when it does not compile. */
  readonly compiled: CompiledTopology | undefined;
  /** Why it may not run; undefined when it may. */
  readonly fault: WorkerFault | undefined;
  /** Why its types were not checked, or not as its project says. */
  readonly unchecked: string | undefined;
}

/**
 * `needless` says of a build whether it runs already: then nothing is checked. `trial`: whether it
 * has to show that it could take over; types are checked in any case.
 */
export async function prepareCandidate(
  options: CandidateOptions,
  {
    trial,
    needless,
    signal,
  }: {
    readonly trial: boolean;
    readonly needless: (build: string) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<Candidate> {
  const { file, buildDir, input, clock, built } = options;
  const shown = relative(process.cwd(), file);
  const stamps = new FileStamps();
  let compiled: CompiledTopology | undefined;
  try {
    if (built) await stamps.note(builtFileOf(file));
    compiled = built
      ? openBuiltTopology(file, buildDir)
      : await compileTopologyFile(file, buildDir, stamps);
    const types = built
      ? checkedBefore
      : await checkTypes({ file, outDir: buildDir, clock, signal, stamps });
    if (types.kind === 'checked') requireNone(types.findings, shown);
    if (trial && !needless(compiled.build)) {
      const verdict = await tryTopology(
        { ...input, script: compiled.script, file },
        { clock, signal, stamps },
      );
      requireNone(verdict.findings, shown);
    }
    return {
      stamps,
      compiled,
      fault: undefined,
      unchecked: types.kind === 'checked' ? types.note : types.why,
    };
  } catch (thrown) {
    return { stamps, compiled, fault: faultOf(thrown), unchecked: undefined };
  }
}
