/**
 * What all requests of an ingress share.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Intake } from '../intake.ts';
import type { Room } from '../room.ts';
import type { Log } from '../telemetry/log.ts';
import type { IngressMetrics } from '../telemetry/metrics.ts';
import type { Warnings } from '../telemetry/warnings.ts';
import type { Exchange } from './exchange.ts';

/** What all exchanges of an ingress share. */
export interface Hall {
  readonly clock: Clock;
  readonly intake: Intake;
  readonly room: Room;
  readonly metrics: IngressMetrics;
  readonly log: Log;
  readonly warnings: Warnings;
  readonly newId: () => string;
  /** Those that are not answered yet, in no order. */
  readonly open: Exchange[];
  isShuttingDown: boolean;
}
