/**
 * How Kinesis says that it is asked too often, by the names of its errors. Pure.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
 */
const throttlings = new Set([
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'KMSThrottlingException',
  'ThrottlingException',
  'Throttling',
  'RequestLimitExceeded',
]);

export const isThrottling = (name: string): boolean => throttlings.has(name);
