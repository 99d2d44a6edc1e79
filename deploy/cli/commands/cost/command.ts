/**
 * `sluice cost`: how it is called.
 */
import { command, namesOrNone, text, textOr } from '../../command.ts';

export default command({
  name: 'cost',
  summary: 'Compute what a configuration costs on AWS a month, and what would cost less',
  order: 180,
  options: {
    events: text(
      '<rate>',
      'events of all streams together, evenly over them: 4500, 4.5k/s, 270k/min, 12M/day',
    ),
    size: text('<bytes>', 'data of an event, such as 500b or 5kb; 1 kb is 1,024 bytes'),
    peak: textOr('<factor>', '1', 'the busiest seconds, as a multiple of the average'),
    large: textOr('<share>', '0%', 'part of the events that is above the threshold, such as 0.1%'),
    largeSize: textOr('<bytes>', '500kb', 'data of such an event'),
    compression: text(
      '<times>',
      'how many times smaller `kpl-gzip` makes your events (default: as measured on events that are not alike)',
    ),
    perRequest: textOr('<events>', '1', 'events in a request, for API Gateway'),
    edge: textOr('<edge>', 'nlb', 'nlb or api-gateway'),
    kafka: textOr(
      '<kind>',
      'serverless',
      'serverless: MSK Serverless; brokers: three small ones of MSK; own: yours, which costs nothing here',
    ),
    firehose: text(
      '<share>',
      'part of the rows that go by Firehose (default: 100% where `firehose.tables` has any)',
    ),
    engine: textOr(
      '<kind>',
      'sluice',
      'what runs the topologies: sluice (sluice enrich on EKS) or managed-flink',
    ),
    measure: namesOrNone(
      '[urls]',
      'measure the load: metrics of each ingress, such as http://10.0.0.7:9464/metrics (default: the running instance)',
    ),
    for: textOr('<time>', '10s', 'how long to measure, such as 30s or 5m'),
    prices: text('<file>', 'lines that replace those of the shipped prices, as YAML'),
  },
  examples: [
    'cost --events 4500 --size 5kb',
    'cost --events 50M/day --size 800b --peak 3 --large 0.1%',
    'cost --measure --for 1m --peak 2',
  ],
  run: async (context, { options }) => {
    const { costCommand } = await import('./cost.ts');
    return costCommand(context, options);
  },
});
