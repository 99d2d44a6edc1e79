/**
 * What a running Node process holds in memory after collection, all its threads together, asked by
 * its inspector. The process runs as it always does until SIGUSR1 opens the inspector; NODE_OPTIONS
 * has `--inspect-port=0`, so that it takes a free port of loopback.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { ServiceProcess } from './service-process.ts';

export const inspectable = { NODE_OPTIONS: '--inspect-port=0' } as const;

export interface CollectedMemory {
  /** Heaps, and what they hold outside of themselves, such as buffers. */
  readonly heldBytes: number;
  readonly residentBytes: number;
}

const answerMaxMs = 10_000;
const listening = /Debugger listening on (ws:\S+)/g;

/** Asks one service again and again, through its restarts. */
export class MemoryProbe {
  readonly #service: ServiceProcess;
  #pid = 0;
  #url = '';

  constructor(service: ServiceProcess) {
    this.#service = service;
  }

  /** Rejects when it does not answer: it may be down. */
  async ask(): Promise<CollectedMemory> {
    if (this.#pid !== this.#service.pid) await this.#open();
    const inspector = await Inspector.connect(this.#url);
    try {
      return await inspector.collect();
    } finally {
      inspector.close();
    }
  }

  async #open(): Promise<void> {
    const { pid } = this.#service;
    // A process that has not begun to listen to signals would end by one.
    if (!(await fetch(`${this.#service.url}/healthz`)).ok)
      throw new Error(`${this.#service.name} is not up`);
    process.kill(pid, 'SIGUSR1');
    for (
      const deadline = performance.now() + answerMaxMs;
      performance.now() < deadline;
      await wait(20)
    ) {
      const url = [...this.#service.log.matchAll(listening)].at(-1)?.[1];
      if (url === undefined || url === this.#url) continue;
      [this.#pid, this.#url] = [pid, url];
      return;
    }
    throw new Error(`the inspector of ${this.#service.name} did not open`);
  }
}

interface Usage {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

interface Answer {
  readonly result?: { readonly result?: { readonly value?: string } };
  readonly error?: { readonly message: string };
}

/**
 * A session of the inspector's protocol, with those of the process's worker threads in it (its
 * domain `NodeWorker`).
 */
class Inspector {
  readonly #socket: WebSocket;
  readonly #workers = new Set<string>();
  readonly #asked = new Map<string, (answer: Answer) => void>();
  #ids = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#hear(data.toString()));
  }

  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url, { perMessageDeflate: false, handshakeTimeout: answerMaxMs });
    await new Promise<void>((resolve, reject) =>
      socket.once('open', () => resolve()).once('error', reject),
    );
    socket.on('error', () => undefined);
    return new Inspector(socket);
  }

  async collect(): Promise<CollectedMemory> {
    await this.#ask(undefined, 'NodeWorker.enable', { waitForDebuggerOnStart: false });
    const threads = [undefined, ...this.#workers];
    const usages = await Promise.all(threads.map((thread) => this.#usageOf(thread)));
    const held = usages.reduce((sum, { heapUsed, external }) => sum + heapUsed + external, 0);
    return { heldBytes: held, residentBytes: usages[0]?.rss ?? 0 };
  }

  close(): void {
    this.#socket.terminate();
  }

  async #usageOf(worker: string | undefined): Promise<Usage> {
    await this.#ask(worker, 'HeapProfiler.collectGarbage');
    const expression = 'JSON.stringify(process.memoryUsage())';
    const { result } = await this.#ask(worker, 'Runtime.evaluate', {
      expression,
      returnByValue: true,
    });
    return JSON.parse(result?.result?.value ?? '') as Usage;
  }

  #ask(
    worker: string | undefined,
    method: string,
    params: Readonly<Record<string, unknown>> = {},
  ): Promise<Answer> {
    const id = ++this.#ids;
    const message = { id, method, params };
    if (worker === undefined) this.#socket.send(JSON.stringify(message));
    else
      this.#send('NodeWorker.sendMessageToWorker', {
        sessionId: worker,
        message: JSON.stringify(message),
      });
    return new Promise((resolve, reject) => {
      const key = `${worker ?? ''} ${id}`;
      const timer = setTimeout(() => {
        this.#asked.delete(key);
        reject(new Error(`${method} was not answered in ${answerMaxMs} ms`));
      }, answerMaxMs);
      this.#asked.set(key, (answer) => {
        clearTimeout(timer);
        this.#asked.delete(key);
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(`${method}: ${answer.error.message}`));
      });
    });
  }

  #send(method: string, params: Readonly<Record<string, unknown>>): void {
    this.#socket.send(JSON.stringify({ id: ++this.#ids, method, params }));
  }

  #hear(text: string): void {
    const message = JSON.parse(text) as Answer & {
      readonly id?: number;
      readonly method?: string;
      readonly params?: { readonly sessionId: string; readonly message?: string };
    };
    const { params } = message;
    if (message.id !== undefined) this.#asked.get(` ${message.id}`)?.(message);
    else if (params === undefined) return;
    else if (message.method === 'NodeWorker.attachedToWorker') this.#workers.add(params.sessionId);
    else if (message.method === 'NodeWorker.detachedFromWorker')
      this.#workers.delete(params.sessionId);
    else if (message.method === 'NodeWorker.receivedMessageFromWorker') {
      const answer = JSON.parse(params.message ?? '{}') as Answer & { readonly id?: number };
      this.#asked.get(`${params.sessionId} ${answer.id}`)?.(answer);
    }
  }
}
