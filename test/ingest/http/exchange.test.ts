/**
 * An exchange hands its connection to a WebSocket within the cork of another answer: within its
 * own, uWebSockets.js reads the WebSocket's memory as if it were its own, and ends one in some
 * thousands.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { expect, it } from 'vitest';
import { Exchange } from '../../../ingest/http/exchange.ts';
import type { Hall } from '../../../ingest/http/hall.ts';
import type { IncomingRequest } from '../../../ingest/http/request.ts';
import { createRoom } from '../../../ingest/room.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';

function hall(): Hall {
  const answered = { answered: () => undefined };
  return {
    clock: manualClock(),
    room: createRoom(1_000_000, 1_000),
    metrics: answered,
    newId: () => 'id',
    open: [],
    draining: false,
  } as unknown as Hall;
}

function exchange(of: Hall, corked: string[], name: string): Exchange {
  const res = {
    onAborted: () => res,
    cork(then: () => void) {
      corked.push(name);
      then();
      return res;
    },
  } as unknown as HttpResponse;
  return new Exchange(res, { requestId: '' } as IncomingRequest, of, () => undefined);
}

it('hands a connection over within the cork of another answer, and within its own where there is none', () => {
  const corked: string[] = [];
  const shared = hall();
  const handed: string[] = [];
  const first = exchange(shared, corked, 'first');
  const second = exchange(shared, corked, 'second');
  second.upgrade(() => handed.push('second'));
  first.upgrade(() => handed.push('first'));
  first.upgrade(() => handed.push('again'));
  expect(corked).toEqual(['first', 'first']);
  expect(handed).toEqual(['second', 'first']);
  expect(shared.open).toEqual([]);
});
