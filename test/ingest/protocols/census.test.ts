/**
 * How many WebSockets may be open: of one network, of one key, of all.
 */
import { expect, it } from 'vitest';
import { Census } from '../../../ingest/protocols/websocket/census.ts';
import { limits } from '../../../schemas/limits.ts';

it('a network has its bound, a key half of all, and what is closed makes room', () => {
  const census = new Census(limits.wsConnectionsMax);
  const half = limits.wsConnectionsMax / 2;
  const closes = Array.from({ length: half }, () => census.add('one', 'network'));
  expect(census.refuse('one', 'elsewhere')).toMatchObject({
    status: 503,
    code: 'too-many-connections',
  });
  expect(census.refuse('other', 'network')).toBeUndefined();
  // Where there are no keys everybody is one sender.
  expect(census.refuse('', 'network')).toBeUndefined();
  closes.pop()?.();
  expect(census.refuse('one', 'elsewhere')).toBeUndefined();
  for (let n = 0; n <= half; n++) census.add('other', `network ${n}`);
  expect(census.refuse('third', 'elsewhere')).toMatchObject({ code: 'too-many-connections' });

  const narrow = new Census(2);
  const close = narrow.add('a', 'network');
  narrow.add('b', 'network');
  expect(narrow.refuse('c', 'network')).toMatchObject({ code: 'too-many-connections' });
  expect(narrow.refuse('c', 'elsewhere')).toBeUndefined();
  close();
  expect(narrow.refuse('c', 'network')).toBeUndefined();
});
