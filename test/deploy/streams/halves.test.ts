/**
 * One record that a stream did not take had the whole batch refused for good, and the events of
 * others with it.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sendInHalves } from '../../../deploy/streams/halves.ts';
import type { WriteOutcome } from '../../../schemas/ports/record-writer.ts';

const refused: WriteOutcome = {
  kind: 'refused',
  code: 'stream-refused',
  message: 'no',
  retryable: false,
};

/** Takes a batch whole or not at all. */
function strictStream(isBad: (record: number) => boolean): {
  readonly send: (records: readonly number[]) => Promise<readonly WriteOutcome[]>;
  readonly stored: number[];
  readonly requests: () => number;
} {
  const stored: number[] = [];
  let requests = 0;
  return {
    stored,
    requests: () => requests,
    async send(records) {
      requests++;
      if (records.some(isBad)) return records.map(() => refused);
      return records.map((record) => ({
        kind: 'applied',
        split: '0',
        position: String(stored.push(record) - 1),
      }));
    },
  };
}

it('has the records at fault refused and no others, each of which is stored once, in order', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.nat(59), { maxLength: 8 }),
      async (count, bad) => {
        const records = Array.from({ length: count }, (_, n) => n);
        const { send, stored, requests } = strictStream((record) => bad.includes(record));
        const outcomes = await sendInHalves(records, send);
        expect(outcomes.map(({ kind }) => kind)).toEqual(
          records.map((n) => (bad.includes(n) ? 'refused' : 'applied')),
        );
        expect(stored).toEqual(records.filter((n) => !bad.includes(n)));
        for (const [n, outcome] of outcomes.entries())
          if (outcome.kind === 'applied') expect(stored[Number(outcome.position)]).toBe(records[n]);
        expect(requests()).toBeLessThanOrEqual(2 * count - 1);
      },
    ),
  ));

it('finds one among 500 in 19 requests', async () => {
  const { send, requests } = strictStream((record) => record === 123);
  await sendInHalves(
    Array.from({ length: 500 }, (_, n) => n),
    send,
  );
  expect(requests()).toBeLessThanOrEqual(19);
});

it.each([
  ['what may be in the stream', { kind: 'unknown', code: 'reply-missing', message: 'who knows' }],
  ['what the stream refuses for now', { ...refused, retryable: true }],
] as const)('sends %s once', async (_what, outcome: WriteOutcome) => {
  let requests = 0;
  const outcomes = await sendInHalves([1, 2, 3], async (records) => {
    requests++;
    return records.map(() => outcome);
  });
  expect(outcomes).toEqual([outcome, outcome, outcome]);
  expect(requests).toBe(1);
});

it('keeps back what is behind a half that may go again', async () => {
  const later: WriteOutcome = { ...refused, code: 'stream-failed', retryable: true };
  const sent: (readonly number[])[] = [];
  const outcomes = await sendInHalves([1, 2, 3, 4], async (records) => {
    sent.push(records);
    return records.map(() => (records.length === 4 ? refused : later));
  });
  expect(sent).toEqual([
    [1, 2, 3, 4],
    [1, 2],
  ]);
  expect(
    outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind)),
  ).toEqual([...['stream-failed', 'stream-failed'], ...['order-kept', 'order-kept']]);
});
