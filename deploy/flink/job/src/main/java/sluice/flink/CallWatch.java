package sluice.flink;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;

/**
 * Interrupts functions that do not return: only another thread can. One thread looks at all of a
 * class loader's.
 *
 * <p>1. Time in which nobody looked does not count: a process that was stopped, or a machine that
 * was busy, ends no call. 2. An interrupt is thrown wherever the script goes on until it has left; a
 * script that catches it all the same for {@link #INTERRUPTS_MAX} looks is ended with its engine.
 * 3. Between {@link #begin}
 * and {@link #end} of a call the watch interrupts that call, and no other: {@code end} waits for an
 * interrupt that is on its way.
 */
final class CallWatch {
  private static final int INTERRUPTS_MAX = 5;
  /** Looks within the bound. */
  private static final int LOOKS = 20;
  private static final long LOOK_MIN_MS = 5;
  private static final long LOOK_MAX_MS = 500;
  /** How long a task that is canceled waits for its functions. */
  private static final long CANCELED_MAX_MS = 1_000;
  private static final Set<CallWatch> ALL = ConcurrentHashMap.newKeySet();
  private static Thread looking;

  private final ScriptEngine scripts;
  private final long maxMs;
  private final Thread caller = Thread.currentThread();
  /** Counts calls; even: none runs. */
  private volatile long call;
  private volatile boolean fired;
  private volatile boolean isInFunction;
  private volatile boolean firedInFunction;
  private int interrupts;
  private long seen;
  private long sameMs;

  CallWatch(ScriptEngine scripts, long maxMs) {
    this.scripts = scripts;
    this.maxMs = maxMs;
    synchronized (CallWatch.class) {
      ALL.add(this);
      if (looking != null) return;
      looking = new Thread(CallWatch::lookAtAll, "sluice-function-watch");
      looking.setDaemon(true);
      looking.start();
    }
  }

  void close() {
    ALL.remove(this);
  }

  @SuppressWarnings("NonAtomicOperationOnVolatileField") // Only the caller writes it.
  void begin() {
    isInFunction = false;
    call++;
  }

  /** A function begins within it, with all its time before it. Says whether it was interrupted. */
  @SuppressWarnings("NonAtomicOperationOnVolatileField")
  boolean beginFunction() {
    call += 2;
    isInFunction = !fired;
    return fired;
  }

  boolean endFunction() {
    isInFunction = false;
    return fired;
  }

  /** Whether the last that was interrupted was within the function that had begun last. */
  boolean wasInFunction() {
    return firedInFunction;
  }

  /** Says whether it was interrupted. */
  @SuppressWarnings("NonAtomicOperationOnVolatileField")
  synchronized boolean end() {
    call++;
    boolean was = fired;
    fired = false;
    interrupts = 0;
    return was;
  }

  private static void lookAtAll() {
    long before = System.nanoTime();
    while (true) {
      long paceMs = LOOK_MAX_MS;
      for (CallWatch one : ALL) paceMs = Math.min(paceMs, Math.max(LOOK_MIN_MS, one.maxMs / LOOKS));
      try {
        Thread.sleep(paceMs);
      } catch (InterruptedException thrown) {
        return;
      }
      long now = System.nanoTime();
      long passedMs = Math.min((now - before) / 1_000_000, 2 * paceMs);
      before = now;
      for (CallWatch one : ALL) one.look(passedMs);
      synchronized (CallWatch.class) {
        if (!ALL.isEmpty()) continue;
        looking = null;
        return;
      }
    }
  }

  private void look(long passedMs) {
    long current = call;
    if (current % 2 == 0 || current != seen) {
      seen = current;
      sameMs = 0;
      return;
    }
    sameMs += passedMs;
    boolean isCanceled = caller.isInterrupted() && sameMs >= CANCELED_MAX_MS;
    if (sameMs >= maxMs || isCanceled) interrupt(current);
  }

  private synchronized void interrupt(long current) {
    if (call != current) return;
    if (!fired) firedInFunction = isInFunction;
    fired = true;
    if (interrupts++ < INTERRUPTS_MAX) {
      try {
        scripts.interrupt();
      } catch (TimeoutException thrown) {
        // The next look tries again.
      }
    } else if (interrupts == INTERRUPTS_MAX + 1) {
      // It waits until the script has ended, and nobody may wait for it.
      Thread ending = new Thread(() -> scripts.end(), "sluice-function-end");
      ending.setDaemon(true);
      ending.start();
    }
  }
}
