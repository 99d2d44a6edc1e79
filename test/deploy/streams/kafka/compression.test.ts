/**
 * A compression that this installation has no package for is found when a service starts, and not
 * by its first request.
 */
import { createRequire } from 'node:module';
import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { saying } from '../../../said.ts';

const loader = createRequire(import.meta.url)('node:module') as {
  _load: (name: string, ...rest: readonly unknown[]) => unknown;
};

afterEach(() => vi.restoreAllMocks());

it('is named with what to do, before anything is asked of a broker', async () => {
  // A package that another test has loaded in this process would not be missed.
  vi.resetModules();
  const { createKafkaWriter } = await import('../../../../deploy/streams/kafka/kafka-writer.ts');
  const load = loader._load;
  vi.spyOn(loader, '_load').mockImplementation((name, ...rest) => {
    if (name === 'lz4-napi') throw new Error("Cannot find module 'lz4-napi'");
    return load.call(loader, name, ...rest);
  });
  const writer = createKafkaWriter({
    connection: { brokers: ['127.0.0.1:1'], tls: false, clientId: 'test' },
    topics: new Map([['a/b', 'topic']]),
    clock: systemClock,
    compression: 'lz4',
  });
  await expect(Promise.resolve().then(() => writer.describe('a/b'))).rejects.toMatchObject({
    code: 'codec-missing',
    retryable: false,
    message: saying({ names: ['lz4-napi'] }),
    fix: saying({ code: ['npm ci', 'kafka.compression'] }),
  });
  await writer.close();
});
