/**
 * From configuration to where in S3 objects are.
 */
import { awsOptions } from '../../../schemas/config/aws-place.ts';
import { incomplete } from '../../../schemas/config/incomplete.ts';
import type { S3Config } from '../../../schemas/config.ts';
import type { S3Place } from './s3-objects.ts';

/** `folder` is below the bucket's prefix, or empty. Throws `SluiceError` `config-incomplete`. */
export function s3Place(s3: S3Config, folder: string): S3Place {
  if (s3.bucket === undefined)
    throw incomplete('s3.bucket', 'the bucket of the lake, the checkpoints and the claims');
  return {
    ...awsOptions(s3),
    bucket: s3.bucket,
    prefix: `${s3.prefix}${folder}`.replace(/\/$/, ''),
  };
}
