package sluice.flink.firehose;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Lines packed into Firehose's records and calls, as enrich/firehose/pack-rows.ts does it: Firehose
 * bills a record as 5 KiB at least, and counts a call's records as base64.
 */
final class RecordPacker {
  /** https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html */
  static final int RECORD_MAX_BYTES = 1_000 << 10;
  private static final int CALL_MAX_RECORDS = 500;
  private static final int CALL_MAX_BYTES = 4 << 20;
  /** What stands around a record's data in a call, and around all of it. */
  private static final int RECORD_HEAD_BYTES = 12;
  private static final int CALL_HEAD_BYTES = 128;

  private final int rowsPerRecord;
  private ByteArrayOutputStream record = new ByteArrayOutputStream();
  private int rows;
  private List<byte[]> records = new ArrayList<>();
  private long bytes = CALL_HEAD_BYTES;

  RecordPacker(int rowsPerRecord) {
    this.rowsPerRecord = rowsPerRecord;
  }

  /** Takes a line; gives the call that is full before it, or null. */
  List<byte[]> add(byte[] line) {
    if (line.length > RECORD_MAX_BYTES) throw new IllegalArgumentException("a row that is packed fits a record: " + line.length + " bytes");
    if (record.size() + line.length > RECORD_MAX_BYTES || rows >= rowsPerRecord) endRecord();
    List<byte[]> full = null;
    if (bytes + wireBytes(record.size() + line.length) > CALL_MAX_BYTES || records.size() >= CALL_MAX_RECORDS) full = flush();
    record.writeBytes(line);
    rows++;
    return full;
  }

  /** All lines that are left, or null. */
  List<byte[]> flush() {
    endRecord();
    if (records.isEmpty()) return null;
    List<byte[]> call = records;
    records = new ArrayList<>();
    bytes = CALL_HEAD_BYTES;
    return call;
  }

  private static long wireBytes(long dataBytes) {
    return 4 * ((dataBytes + 2) / 3) + RECORD_HEAD_BYTES;
  }

  private void endRecord() {
    if (rows == 0) return;
    records.add(record.toByteArray());
    bytes += wireBytes(record.size());
    record = new ByteArrayOutputStream();
    rows = 0;
  }
}
