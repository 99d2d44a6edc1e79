package sluice.flink;

import java.io.Serializable;

/** What a look-up by a connector asks, by numbers of the look-up's own. Answers come on any thread. */
public interface Asking extends AutoCloseable {
  /** Gives one for each part of an operator. */
  interface Factory extends Serializable {
    Asking open();
  }

  /** Takes what came of a question, once. */
  interface Answers {
    /**
     * {@code kind}: `text`, or `large` or `bytes` where it is not: larger than allowed, not UTF-8.
     * {@code after}, {@code date}: headers of the answer, empty where it has none.
     */
    void answer(long number, int status, String kind, String body, String after, String date);

    /** The key has no place in the address. */
    void nothing(long number);

    /** {@code reason}: no text that could repeat the request. */
    void failed(long number, String reason);
  }

  /** {@code key}: as it stands in an address. */
  void ask(long number, String key, Answers answers);

  /** Nobody waits for it any more. */
  void cancel(long number);

  @Override
  void close();
}
