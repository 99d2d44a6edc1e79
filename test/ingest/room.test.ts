/**
 * Shares of the bytes in flight, and turns at inflating: what one sender takes, another still has.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflatersMax, Turns } from '../../ingest/http/turns.ts';
import { createRoom, idleSharesKept } from '../../ingest/room.ts';
import { limits } from '../../schemas/limits.ts';

const mebi = 1_048_576;

describe('the room of what is in flight', () => {
  it('keeps a half for others, whatever one key holds', () => {
    const room = createRoom(256 * mebi, 48 * mebi);
    const [one, other] = [room.ofKey('one').enter(), room.ofKey('other').enter()];
    let held = 0;
    while (one.overload(mebi) === undefined) {
      one.hold(mebi);
      held += mebi;
    }
    expect(held).toBe(128 * mebi);
    expect(one.overload(1)).toMatchObject({ status: 503, code: 'overloaded' });
    expect(other.overload(64 * mebi)).toBeUndefined();
    expect(other.overload(64 * mebi + 1)).toMatchObject({ status: 503 });
  });

  it('has room for one more, however many keys want all of it', () => {
    const room = createRoom(256 * mebi, 48 * mebi);
    const greedy = Array.from({ length: 7 }, (_, n) => ({
      share: room.ofKey(`greedy ${n}`).enter(),
      held: 0,
    }));
    // Those who came first let go of what they hold above their part as their requests are
    // answered.
    for (let round = 0; round < 2_000; round++) {
      for (const one of greedy) {
        if (one.held > 0 && round % 3 === 0) {
          one.share.release(mebi / 4);
          one.held--;
        }
        while (one.share.overload(mebi / 4) === undefined) {
          one.share.hold(mebi / 4);
          one.held++;
        }
      }
    }
    for (const { held } of greedy) expect(Math.abs(held / 4 - 32)).toBeLessThan(4);
    expect(room.ofKey('late').overload(14 * mebi)).toBeUndefined();
  });

  it('gives those who are not identified a small part, each network a smaller one', () => {
    const room = createRoom(256 * mebi, 48 * mebi);
    const fill = (network: string): number => {
      const share = room.ofNetwork(network).enter();
      let held = 0;
      for (; share.overload(mebi) === undefined; held++) share.hold(mebi);
      return held;
    };
    expect(fill('network')).toBe(4);
    const all = Array.from({ length: 20 }, (_, n) => fill(`network ${n}`)).reduce(
      (sum, held) => sum + held,
      4,
    );
    expect([all > 28, all <= 32]).toEqual([true, true]);
    expect(room.ofKey('known').overload(100 * mebi)).toBeUndefined();
  });

  it('always has room for one request, however small it is', () => {
    const room = createRoom(2 * mebi, 3 * mebi);
    expect(room.ofKey('one').overload(2 * mebi)).toBeUndefined();
    expect(room.ofNetwork('one').overload(2 * limits.strangerBodyMaxBytes)).toBeUndefined();
  });

  it('counts what is held exactly, in one share a name, and forgets names that hold nothing', () => {
    const moves = fc.array(
      fc.record({ name: fc.nat(600), bytes: fc.nat(1_000), leave: fc.boolean() }),
      { maxLength: 2_000 },
    );
    fc.assert(
      fc.property(moves, (steps) => {
        const room = createRoom(1e9, 1e6);
        const open: { readonly name: string; readonly bytes: number; readonly free: () => void }[] =
          [];
        for (const { name, bytes, leave } of steps) {
          if (leave && open.length > 0) {
            open.splice(bytes % open.length, 1)[0]?.free();
            continue;
          }
          const share = room.ofKey(String(name)).enter();
          share.hold(bytes);
          const free = (): void => {
            share.release(bytes);
            share.leave();
          };
          open.push({ name: String(name), bytes, free });
        }
        const held = new Map<string, number>();
        for (const { name, bytes } of open) held.set(name, (held.get(name) ?? 0) + bytes);
        for (const [name, bytes] of held) expect(room.ofKey(name).bytes).toBe(bytes);
        expect(room.all.bytes).toBe(open.reduce((sum, { bytes }) => sum + bytes, 0));
        for (const { free } of open) free();
        expect(room.all.bytes).toBe(0);
        expect(room.shares).toBeLessThanOrEqual(idleSharesKept);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps a few shares that nobody is in, and as many as somebody is in', () => {
    const room = createRoom(256 * mebi, 48 * mebi);
    const names = Array.from({ length: 2 * idleSharesKept }, (_, n) => String(n));
    const shares = names.map((name) => room.ofKey(name).enter());
    expect(room.shares).toBe(names.length);
    for (const share of shares) share.leave();
    expect(room.shares).toBe(idleSharesKept);
  });
});

describe('turns at inflating', () => {
  it('go around: one who sends many waits for its own, not the others for it', async () => {
    const turns = new Turns();
    const order: string[] = [];
    const ends: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const job = (name: string) => (): Promise<void> => {
      order.push(name);
      most = Math.max(most, ++running);
      return new Promise((resolve) => {
        ends.push(() => {
          running--;
          resolve();
        });
      });
    };
    for (let n = 0; n < 100; n++) turns.take('many', job(`many ${n}`));
    for (const name of ['a', 'b']) turns.take(name, job(name));
    expect(order).toHaveLength(inflatersMax);
    for (let n = 0; n < 102; n++) {
      ends.shift()?.();
      await Promise.resolve();
      await Promise.resolve();
    }
    expect(order).toHaveLength(102);
    expect(most).toBe(inflatersMax);
    expect(order.slice(inflatersMax, inflatersMax + 3).sort()).toEqual([
      'a',
      'b',
      `many ${inflatersMax}`,
    ]);
  });
});
