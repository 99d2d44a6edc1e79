/**
 * Which windows an element is in. Pure; windows are `[start, end)` in epoch ms.
 *
 * Source of the formulas: org.apache.flink.streaming.api.windowing.windows.TimeWindow and
 * org.apache.flink.streaming.api.windowing.assigners.{Tumbling,Sliding}EventTimeWindows.
 */

export type WindowShape =
  | { readonly type: 'tumbling'; readonly sizeMs: number; readonly offsetMs: number }
  | {
      readonly type: 'sliding';
      readonly sizeMs: number;
      readonly slideMs: number;
      readonly offsetMs: number;
    }
  | { readonly type: 'session'; readonly gapMs: number };

/**
 * `timestamp - floorMod(timestamp - offset, size)`: JavaScript's % truncates towards zero, which is
 * wrong before 1970.
 */
function windowStart(timestamp: number, offsetMs: number, sizeMs: number): number {
  const remainder = (timestamp - offsetMs) % sizeMs;
  return timestamp - (remainder < 0 ? remainder + sizeMs : remainder);
}

/** The starts of an element's windows, latest first. A session starts with its first element. */
export function windowStarts(shape: WindowShape, timestamp: number): readonly number[] {
  switch (shape.type) {
    case 'tumbling':
      return [windowStart(timestamp, shape.offsetMs, shape.sizeMs)];
    case 'sliding': {
      const starts: number[] = [];
      const last = windowStart(timestamp, shape.offsetMs, shape.slideMs);
      for (let start = last; start > timestamp - shape.sizeMs; start -= shape.slideMs)
        starts.push(start);
      return starts;
    }
    case 'session':
      return [timestamp];
  }
}

export function windowLength(shape: WindowShape): number {
  return shape.type === 'session' ? shape.gapMs : shape.sizeMs;
}

/** Early firings lie on multiples of the interval after the element that began them. */
export function firstEarlyFiring(timestamp: number, everyMs: number): number {
  return windowStart(timestamp, 0, everyMs) + everyMs;
}
