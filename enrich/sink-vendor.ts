/**
 * What a service has to know of what its sinks write to: the contract between a vendor's module and
 * the list of all of them (deploy/services/sink-vendors.ts).
 */
import type { Clock } from '../schemas/kernel/clock.ts';
import type { Random } from '../schemas/kernel/random.ts';
import type { StartupCheck } from '../schemas/ports/startup-check.ts';
import type { SinkConfigs } from '../schemas/sinks/sinks.ts';
import type { SinkPlace } from './sink-binding.ts';

export interface VendorPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** What a vendor gives to the sinks of one topology. */
export interface VendorSinks {
  /** Tables that it delivers. Absent: none. */
  readonly deliveryOf?: SinkPlace['deliveryOf'];
  /** Throws `SluiceError` `config-incomplete`. Absent: it has no graphs. */
  readonly graph?: SinkPlace['graph'];
  /** After the job. Absent: each sink closes what is its own. */
  readonly close?: () => Promise<void>;
}

export interface SinkVendor {
  /** What has to be there before a service starts. Throws `SluiceError` `config-incomplete`. */
  readonly checks: (config: SinkConfigs, ports: VendorPorts) => readonly StartupCheck[];
  readonly open: (
    config: SinkConfigs,
    /** `count`: what happened, by name, for metrics. */
    ports: VendorPorts & { readonly count: (name: string, times: number) => void },
  ) => VendorSinks;
}
