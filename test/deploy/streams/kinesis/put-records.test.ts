import { cbor } from '@smithy/core/cbor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createBodyPool,
  encodePutRecords,
} from '../../../../deploy/streams/kinesis/put-records-body.ts';
import {
  deriveFailure,
  readOutcomes,
} from '../../../../deploy/streams/kinesis/put-records-reply.ts';
import type { OutgoingRecord } from '../../../../schemas/ports/record.ts';

const someRecords = fc.array(
  fc.record({
    key: fc.oneof(
      fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }),
      fc.constantFrom('"', '\\', 'é', '𝄞', '\u2028', '\ud800'),
    ),
    value: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }),
  }),
  { minLength: 1, maxLength: 12 },
);

describe('the body of a PutRecords', () => {
  const serialised = (records: readonly OutgoingRecord[]): Buffer => {
    const entries = records.map(({ key, value }) => ({
      Data: Buffer.concat(value),
      PartitionKey: key,
    }));
    return Buffer.from(cbor.serialize({ Records: entries, StreamName: 'the-stream' }));
  };

  it("is byte for byte what the SDK's own CBOR serialiser makes of the records", () => {
    const pool = createBodyPool(2);
    fc.assert(
      fc.property(someRecords, (records) => {
        const { body, lent } = encodePutRecords('the-stream', records, pool);
        expect(body.toString('latin1')).toBe(serialised(records).toString('latin1'));
        pool.giveBack(lent);
      }),
    );
  });

  it.each([23, 24, 255, 256, 65_535, 65_536])(
    'has the head of a value of %i bytes, of as many records, and of such a key',
    (size) => {
      const value = [
        Buffer.alloc(Math.floor(size / 3), 97),
        Buffer.alloc(size - Math.floor(size / 3), 98),
      ];
      const one = [{ key: 'k'.repeat(Math.min(size, 256)), value }];
      expect(
        encodePutRecords('the-stream', one, createBodyPool(1)).body.equals(serialised(one)),
      ).toBe(true);
      const many = Array.from({ length: Math.min(size, 500) }, (_, n) => ({
        key: `${n}`,
        value: [Buffer.of(n & 255)],
      }));
      expect(
        encodePutRecords('the-stream', many, createBodyPool(1)).body.equals(serialised(many)),
      ).toBe(true);
    },
  );
});

describe('the buffers of bodies', () => {
  it('are lent again once given back, and never twice at a time', () => {
    const pool = createBodyPool(2);
    const first = pool.lend(1_000);
    const second = pool.lend(1_000);
    expect(second).not.toBe(first);
    pool.giveBack(first);
    expect(pool.lend(2_000)).toBe(first);
    expect(pool.lend(1_000)).not.toBe(first);
  });

  it('are as large as asked for, and only so many are kept', () => {
    const pool = createBodyPool(1);
    const small = pool.lend(10);
    pool.giveBack(small);
    expect(pool.lend(small.length + 1).length).toBeGreaterThan(small.length);
    pool.giveBack(Buffer.alloc(10));
    expect(pool.lend(5)).not.toBe(small);
  });
});

describe('the answer to a PutRecords', () => {
  const reply = (records: unknown): Buffer =>
    Buffer.from(cbor.serialize({ FailedRecordCount: 0, Records: records }));

  it('is read also where its lists and maps say their end instead of their length', () => {
    const indefinite = Buffer.from(
      '\xbf\x67Records\x9f\xbf\x67ShardId\x61s\x6eSequenceNumber\x611\xff\xff\xff',
      'latin1',
    );
    expect(readOutcomes(indefinite, 1)).toEqual([{ kind: 'applied', split: 's', position: '1' }]);
  });

  it('gives each record its own outcome, in order', () => {
    const outcomes = readOutcomes(
      reply([
        { ShardId: 'shard', SequenceNumber: '49590338271490256608' },
        { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'under account 1' },
        { ErrorCode: 'InternalFailure', ErrorMessage: 'Internal Service Failure' },
        {},
        null,
      ]),
      5,
    );
    expect(outcomes).toEqual([
      { kind: 'applied', split: 'shard', position: '49590338271490256608' },
      {
        kind: 'refused',
        code: 'throughput-exceeded',
        message: expect.not.stringContaining('account') as string,
        retryable: true,
      },
      {
        kind: 'refused',
        code: 'stream-failed',
        message: expect.any(String) as string,
        retryable: true,
      },
      { kind: 'unknown', code: 'reply-unreadable', message: expect.any(String) as string },
      { kind: 'unknown', code: 'reply-unreadable', message: expect.any(String) as string },
    ]);
  });

  it.each([
    ['no CBOR', Buffer.from('<html>')],
    ['no map', Buffer.of(3)],
    ['without results', Buffer.from(cbor.serialize({}))],
    ['with results that are no list', reply({ length: 2 })],
    [
      'cut short',
      reply([
        { ShardId: 's', SequenceNumber: '1' },
        { ShardId: 's', SequenceNumber: '2' },
      ]).subarray(0, -4),
    ],
    ['with fewer results than records', reply([{ ShardId: 's', SequenceNumber: '1' }])],
    ['empty', Buffer.alloc(0)],
  ])('leaves all records unknown when it is %s', (_what, body) => {
    expect(readOutcomes(body, 2).map(({ kind }) => kind)).toEqual(['unknown', 'unknown']);
  });
});

describe('a call that fails as a whole', () => {
  const answered = (name: string, status: number): Error =>
    Object.assign(new Error('for arn:aws:iam::1:user/x'), {
      name,
      $metadata: { httpStatusCode: status },
    });
  const system = (code: string, syscall?: string): Error =>
    Object.assign(new Error(code), { code, syscall });
  const told = (thrown: unknown, handedOver = true): string => {
    const failure = deriveFailure(thrown, handedOver);
    expect(failure.message).not.toContain('arn:');
    return `${failure.kind} ${failure.code}${failure.kind === 'refused' && !failure.retryable ? ' for good' : ''}`;
  };

  it.each([
    [answered('ProvisionedThroughputExceededException', 400), 'refused throughput-exceeded'],
    [answered('ThrottlingException', 400), 'refused throughput-exceeded'],
    [answered('Anything', 429), 'refused throughput-exceeded'],
    [answered('ResourceNotFoundException', 400), 'refused stream-missing'],
    [answered('AccessDeniedException', 400), 'refused stream-denied'],
    [answered('ExpiredTokenException', 403), 'refused stream-denied'],
    [answered('InvalidArgumentException', 400), 'refused stream-refused for good'],
    [answered('InternalFailureException', 500), 'refused stream-failed'],
    [answered('ServiceUnavailable', 503), 'refused stream-failed'],
    [answered('Unknown', 502), 'unknown reply-ambiguous'],
    [answered('Unknown', 504), 'unknown reply-ambiguous'],
    [system('ECONNREFUSED', 'connect'), 'refused stream-unreachable'],
    [system('ETIMEDOUT', 'connect'), 'refused stream-unreachable'],
    [system('ENOTFOUND', 'getaddrinfo'), 'refused stream-unreachable'],
    [system('DEPTH_ZERO_SELF_SIGNED_CERT'), 'refused stream-unreachable'],
    [
      Object.assign(
        new Error('the request socket did not establish a connection with the server'),
        { name: 'TimeoutError' },
      ),
      'refused stream-unreachable',
    ],
    [system('ETIMEDOUT'), 'unknown reply-missing'],
    [system('ECONNRESET', 'read'), 'unknown reply-missing'],
    [system('EPIPE', 'write'), 'unknown reply-missing'],
    ['no error at all', 'unknown reply-missing'],
  ])('is told apart: %s is %s', (thrown, expected) => {
    expect(told(thrown)).toBe(expected);
  });

  it('is a refusal, whatever it was, when nothing had been handed to the connection', () => {
    expect(told(new Error('Could not load credentials from any providers'), false)).toBe(
      'refused stream-unreachable',
    );
    expect(told(system('ECONNRESET', 'read'), false)).toBe('refused stream-unreachable');
  });
});
