/**
 * Where a service of AWS is: the settings that each of them has. Credentials are never among them:
 * they come by the default chain of the SDK.
 */
import { inFormat } from './formats.ts';
import { text } from './setting.ts';

export const region = text({
  description: 'Region. Unset: from the environment and the shared AWS configuration.',
  pattern: '^[a-z0-9-]{3,32}$',
  expected: 'a region such as eu-central-1',
  examples: ['eu-central-1'],
});

export const awsPlace = {
  region,
  endpoint: text({
    ...inFormat('endpoint'),
    description: 'Endpoint of an emulator, or a private one.',
    shown: 'written',
    examples: ['http://127.0.0.1:4566'],
  }),
} as const;

/** Undefined: as the environment and the shared configuration say. */
export interface AwsPlace {
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
}

/** The options of every client of AWS; what is not configured is the SDK's to find. */
export function awsOptions({ region: name, endpoint }: AwsPlace): {
  readonly region?: string;
  readonly endpoint?: string;
} {
  return {
    ...(name === undefined ? {} : { region: name }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
