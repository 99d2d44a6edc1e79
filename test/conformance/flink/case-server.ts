/**
 * The JVM that runs conformance cases on Flink's operators (deploy/flink/job/src/test): one process
 * for all cases, a command and an answer a line.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bundleScript } from '../../../deploy/flink/bundle.ts';
import type { BuildJobOptions, ScriptEngine } from '../../../deploy/flink/jar.ts';
import { builtJob, jvmOptions, scriptEngines } from '../../../deploy/flink/jar.ts';

/** Bytes of what it printed last that are shown when it ends. */
const shownMaxChars = 4_000;

/** Of the variable `SLUICE_FLINK_ENGINE`. */
function engineByDefault(): ScriptEngine {
  const named = process.env['SLUICE_FLINK_ENGINE'] ?? 'graaljs';
  const engine = scriptEngines.find((one) => one === named);
  if (engine === undefined)
    throw new Error(`SLUICE_FLINK_ENGINE: expected ${scriptEngines.join(' or ')}`);
  return engine;
}

export interface Answer {
  readonly error?: string;
  readonly [name: string]: unknown;
}

export class CaseServer {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #waiting: { resolve: (answer: Answer) => void; reject: (thrown: Error) => void }[] = [];
  #printed = '';
  #sessions = 0;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#printed = (this.#printed + text).slice(-shownMaxChars);
    });
    if (child.stdout === null) throw new Error('it has no standard output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#waiting.shift()?.resolve(JSON.parse(line) as Answer);
    });
    child.once('exit', (code) => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error(`the JVM ended with ${code}: ${this.#printed}`));
    });
  }

  static async start(options: Omit<BuildJobOptions, 'harness'> = {}): Promise<CaseServer> {
    const { engine = engineByDefault() } = options;
    const folder = mkdtempSync(join(tmpdir(), 'sluice-flink-cases-'));
    const at = dirname(fileURLToPath(import.meta.url));
    const bundle = join(folder, 'bundle.js');
    const script = await bundleScript(
      "import { topologyOfCase } from '../subjects/topologies.js';\nexport default topologyOfCase;",
      at,
      'cases.ts',
    );
    writeFileSync(bundle, script);
    const { harnessClassPath } = await builtJob({ ...options, engine, harness: true });
    const child = spawn(
      'java',
      [
        '-Xmx1g',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        ...jvmOptions,
        `-Dsluice.engine=${engine}`,
        '-cp',
        harnessClassPath,
        'sluice.flink.CaseServer',
        bundle,
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    return new CaseServer(child, folder);
  }

  /** A name for what is opened next. */
  nextSession(): string {
    return `s${++this.#sessions}`;
  }

  /** Throws what the JVM says is wrong. */
  async ask(command: Readonly<Record<string, unknown>>): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    });
    if (answer.error !== undefined) throw new Error(`${String(answer.error)}: ${this.#printed}`);
    return answer;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null) {
      this.#child.stdin?.end();
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
