/**
 * `npm run flink:test` plays what the tests leave out: the same again in a bucket, from an older
 * savepoint or behind what a topic no longer keeps, from a savepoint of Flink 1.20 on 2.2, a role that
 * STS refuses, the source of Kinesis alone, and a topology that moves there and back.
 */
export const isFull = process.env['FLINK_TEST'] === 'full';
