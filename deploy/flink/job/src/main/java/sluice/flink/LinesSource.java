package sluice.flink;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * A file of events, one JSON object a line, read once from its begin to its end. One split, whose
 * position is the number of the line.
 */
final class LinesSource implements Source<Elem, LinesSource.Split, Boolean> {
  private static final long serialVersionUID = 1;
  private final String uid;
  private final String stream;
  private final String path;

  LinesSource(String uid, String stream, String path) {
    this.uid = uid;
    this.stream = stream;
    this.path = path;
  }

  /** The file from a line on. */
  static final class Split implements SourceSplit {
    final long line;

    Split(long line) {
      this.line = line;
    }

    @Override
    public String splitId() {
      return "0";
    }
  }

  @Override
  public Boundedness getBoundedness() {
    return Boundedness.BOUNDED;
  }

  @Override
  public SplitEnumerator<Split, Boolean> createEnumerator(SplitEnumeratorContext<Split> context) {
    return new Enumerator(context, false);
  }

  @Override
  public SplitEnumerator<Split, Boolean> restoreEnumerator(SplitEnumeratorContext<Split> context, Boolean given) {
    return new Enumerator(context, given);
  }

  @Override
  public SourceReader<Elem, Split> createReader(SourceReaderContext context) {
    return new Reader();
  }

  @Override
  public SimpleVersionedSerializer<Split> getSplitSerializer() {
    return new SplitSerializer();
  }

  @Override
  public SimpleVersionedSerializer<Boolean> getEnumeratorCheckpointSerializer() {
    return new GivenSerializer();
  }

  /** Gives the one split to the first reader. */
  private static final class Enumerator implements SplitEnumerator<Split, Boolean> {
    private final SplitEnumeratorContext<Split> context;
    private boolean given;
    private Split back;

    Enumerator(SplitEnumeratorContext<Split> context, boolean given) {
      this.context = context;
      this.given = given;
    }

    @Override
    public void start() {}

    @Override
    public void handleSplitRequest(int subtask, String host) {}

    @Override
    public void addSplitsBack(List<Split> splits, int subtask) {
      if (splits.isEmpty()) return;
      back = splits.get(0);
      given = false;
    }

    @Override
    public void addReader(int subtask) {
      if (!given) context.assignSplit(back == null ? new Split(0) : back, subtask);
      given = true;
      context.signalNoMoreSplits(subtask);
    }

    @Override
    public Boolean snapshotState(long checkpoint) {
      return given;
    }

    @Override
    public void close() {}
  }

  private final class Reader implements SourceReader<Elem, Split> {
    private final CompletableFuture<Void> available = new CompletableFuture<>();
    private final Splits splits = new Splits(uid);
    private BufferedReader lines;
    private long line;
    private boolean noMore;

    @Override
    public void start() {}

    @Override
    public InputStatus pollNext(ReaderOutput<Elem> output) throws Exception {
      splits.say(output);
      if (lines == null) return noMore ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
      String text = lines.readLine();
      if (text == null) return InputStatus.END_OF_INPUT;
      line++;
      if (!text.isBlank())
        output.collect(Elem.of(text, splits.origin(stream, "kinesis", "0", line, text)), System.currentTimeMillis());
      return InputStatus.MORE_AVAILABLE;
    }

    @Override
    public List<Split> snapshotState(long checkpoint) {
      return lines == null ? List.of() : List.of(new Split(line));
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
      return available;
    }

    @Override
    public void addSplits(List<Split> added) {
      try {
        lines = new BufferedReader(new InputStreamReader(Files.newInputStream(Path.of(path)), StandardCharsets.UTF_8));
        for (line = 0; line < added.get(0).line; line++) lines.readLine();
      } catch (IOException cause) {
        throw new IllegalStateException("cannot read " + path + ", the file of '" + uid + "': " + cause, cause);
      }
      splits.begin("kinesis", "0");
      available.complete(null);
    }

    @Override
    public void notifyNoMoreSplits() {
      noMore = true;
      available.complete(null);
    }

    @Override
    public void close() throws Exception {
      if (lines != null) lines.close();
    }
  }

  private static final class SplitSerializer implements SimpleVersionedSerializer<Split> {
    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(Split split) {
      return Long.toString(split.line).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public Split deserialize(int version, byte[] bytes) {
      return new Split(Long.parseLong(new String(bytes, StandardCharsets.UTF_8)));
    }
  }

  private static final class GivenSerializer implements SimpleVersionedSerializer<Boolean> {
    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(Boolean given) {
      return new byte[] {(byte) (given ? 1 : 0)};
    }

    @Override
    public Boolean deserialize(int version, byte[] bytes) {
      return bytes[0] == 1;
    }
  }
}
