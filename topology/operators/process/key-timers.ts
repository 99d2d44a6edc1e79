/**
 * The timers of the live keys of a `process` node: one per key, domain and time.
 */
import type { Identity } from '../../nodes/sink.ts';
import type { Domain, EncodedKeyState, KeyState } from '../../state/key-state.ts';
import { TimerQueue } from '../../state/timer-queue.ts';
import { causeAt, dropCause, keepCause } from './timer-causes.ts';

export const domains = ['event', 'processing'] as const satisfies readonly Domain[];

export class KeyTimers {
  readonly queues: Readonly<Record<Domain, TimerQueue<KeyState>>> = {
    event: new TimerQueue(),
    processing: new TimerQueue(),
  };

  /** `cause`: where its time does not tell it from others. */
  register(domain: Domain, state: KeyState, at: number, cause: Identity | undefined): void {
    state.timers[domain].set(at, this.queues[domain].set(at, state.text, state));
    if (cause !== undefined) keepCause(state, domain, at, cause);
  }

  /** Says whether there was one. */
  cancel(domain: Domain, state: KeyState, at: number): boolean {
    const timer = state.timers[domain].get(at);
    if (timer === undefined) return false;
    this.queues[domain].cancel(timer);
    this.fired(domain, state, at);
    return true;
  }

  /** One has left its queue. Returns what told it from others: its time, or its cause. */
  fired(domain: Domain, state: KeyState, at: number): number | Identity {
    const by = causeAt(state, domain, at) ?? at;
    state.timers[domain].delete(at);
    dropCause(state, domain, at);
    return by;
  }

  /** When the first timer of a key is due. */
  first({ timers }: KeyState, domain: Domain): number {
    let first = Number.POSITIVE_INFINITY;
    for (const at of timers[domain].keys()) first = Math.min(first, at);
    return first;
  }

  /** A key comes to life, whose causes it has already. */
  wake(state: KeyState, [, , event, processing]: EncodedKeyState): void {
    for (const at of event) this.register('event', state, at, undefined);
    for (const at of processing) this.register('processing', state, at, undefined);
  }

  /** A key comes to rest. */
  rest({ timers }: KeyState): void {
    for (const domain of domains)
      for (const timer of timers[domain].values()) this.queues[domain].cancel(timer);
  }

  clear(): void {
    for (const domain of domains) this.queues[domain].clear();
  }
}
