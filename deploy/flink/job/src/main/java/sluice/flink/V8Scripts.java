package sluice.flink;

import com.caoccao.javet.enums.JSRuntimeType;
import com.caoccao.javet.enums.V8AwaitMode;
import com.caoccao.javet.exceptions.JavetException;
import com.caoccao.javet.exceptions.JavetTerminatedException;
import com.caoccao.javet.interop.V8Host;
import com.caoccao.javet.interop.V8Runtime;
import com.caoccao.javet.interop.callback.IJavetDirectCallable;
import com.caoccao.javet.interop.callback.JavetCallbackContext;
import com.caoccao.javet.interop.callback.JavetCallbackType;
import com.caoccao.javet.interop.loader.IJavetLibLoadingListener;
import com.caoccao.javet.interop.loader.JavetLibLoader;
import com.caoccao.javet.values.V8Value;
import com.caoccao.javet.values.reference.V8ValueFunction;
import com.caoccao.javet.values.reference.V8ValueObject;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * V8 with all of its languages, as Node 22 has it (Javet): the engine that Sluice itself runs on. A
 * native library, of which each class loader loads a copy of its own, as one file is one loader's.
 *
 * <p>What Node has beside the language is deleted, so that what a topology may use is the same on
 * both engines. V8's heap is outside of that of the JVM, and a crash in it ends the process.
 */
final class V8Scripts implements ScriptEngine {
  /** Of ECMAScript 2022, with Intl: what stays of the globals. */
  private static final String KEPT =
      "Object,Function,Array,Number,parseFloat,parseInt,Infinity,NaN,undefined,Boolean,String,Symbol,Date,Promise,RegExp,Error,"
          + "AggregateError,EvalError,RangeError,ReferenceError,SyntaxError,TypeError,URIError,globalThis,JSON,Math,Intl,ArrayBuffer,"
          + "Atomics,Uint8Array,Int8Array,Uint16Array,Int16Array,Uint32Array,Int32Array,Float32Array,Float64Array,Uint8ClampedArray,"
          + "BigUint64Array,BigInt64Array,DataView,Map,BigInt,Set,WeakMap,WeakSet,Proxy,Reflect,FinalizationRegistry,WeakRef,decodeURI,"
          + "decodeURIComponent,encodeURI,encodeURIComponent,escape,unescape,eval,isFinite,isNaN,SharedArrayBuffer";

  private final V8Runtime runtime;
  /** Objects that were given out. */
  private final List<V8ValueObject> held = new ArrayList<>();

  V8Scripts() {
    try {
      runtime = host().createV8Runtime();
      // As in Node; schemas are compiled to functions.
      runtime.allowEval(true);
    } catch (JavetException thrown) {
      throw new IllegalStateException("V8 cannot be started: " + thrown.getMessage(), thrown);
    }
    run("process.env.TZ = 'UTC'; new Date().getTimezoneOffset();", "zone.js");
    String kept = Stream.of(KEPT.split(",")).map(Json::quote).collect(Collectors.joining(",", "[", "]"));
    run(
        "{ const kept = new Set(" + kept + "); for (const name of Object.getOwnPropertyNames(globalThis)) if (!kept.has(name)) delete globalThis[name]; }",
        "globals.js");
  }

  /** The library of this class loader; unpacked aside, and removed once it is loaded. */
  private static synchronized V8Host host() {
    try {
      Path folder = Files.createTempDirectory("sluice-v8-");
      try {
        JavetLibLoader.setLibLoadingListener(
            new IJavetLibLoadingListener() {
              @Override
              public File getLibPath(JSRuntimeType type) {
                return folder.toFile();
              }
            });
        V8Host host = V8Host.getNodeI18nInstance();
        if (host.isLibraryLoaded()) return host;
        throw new IllegalStateException(
            "V8 cannot be loaded: it needs Linux on x86_64 with glibc 2.29 or later, and a jar that was built for \"engine\": \"v8\"; set \"engine\": \"graaljs\" where that is not so",
            host.getLastException());
      } finally {
        remove(folder);
      }
    } catch (IOException thrown) {
      throw new UncheckedIOException("V8 cannot be unpacked", thrown);
    }
  }

  private static void remove(Path folder) throws IOException {
    List<Path> all;
    try (Stream<Path> found = Files.walk(folder)) {
      all = found.sorted(Comparator.reverseOrder()).collect(Collectors.toList());
    }
    for (Path one : all) Files.delete(one);
  }

  /** Without the name: Javet takes it for that of a file, whose folder modules are found in. */
  @Override
  public void run(String script, String name) {
    thrown(
        () -> {
          runtime.getExecutor(script).executeVoid();
          return null;
        });
  }

  @Override
  public Scripted object(String expression) {
    return thrown(() -> new Held(runtime.getExecutor(expression).execute()));
  }

  @Override
  public void call(Scripted of, String member, BooleanSupplier first, BooleanSupplier second) {
    thrown(
        () -> {
          try (V8ValueFunction one = function(first);
              V8ValueFunction other = function(second)) {
            ((Held) of).object.invokeVoid(member, one, other);
          }
          return null;
        });
  }

  private V8ValueFunction function(BooleanSupplier gives) throws JavetException {
    IJavetDirectCallable.NoThisAndResult<JavetException> call = given -> runtime.createV8ValueBoolean(gives.getAsBoolean());
    return runtime.createV8ValueFunction(new JavetCallbackContext("host", JavetCallbackType.DirectCallNoThisAndResult, call));
  }

  @Override
  public void interrupt() {
    runtime.terminateExecution();
  }

  @Override
  public void forgetInterrupt() {
    try {
      run("0", "nothing.js");
    } catch (ScriptException thrown) {
      if (!thrown.isInterrupted) throw thrown;
    }
  }

  /** An interrupt cannot be caught by a script: there is nothing more to do. */
  @Override
  public void end() {
    runtime.terminateExecution();
  }

  @Override
  public void close() {
    thrown(
        () -> {
          for (V8ValueObject one : held) one.close();
          runtime.close(true);
          return null;
        });
  }

  private interface Work<T> {
    T get() throws JavetException;
  }

  /** What promises have to do is done by then: Node leaves that to its loop. */
  private <T> T called(Work<T> work) {
    return thrown(
        () -> {
          T given = work.get();
          runtime.await(V8AwaitMode.RunNoWait);
          return given;
        });
  }

  private static <T> T thrown(Work<T> work) {
    try {
      return work.get();
    } catch (JavetException one) {
      throw new ScriptException(one, one instanceof JavetTerminatedException, false);
    }
  }

  /** A long would be a BigInt there, which numbers do not mix with. */
  private static Object[] numbers(Object... arguments) {
    Object[] given = arguments.clone();
    for (int n = 0; n < given.length; n++) if (given[n] instanceof Long) given[n] = (double) (Long) given[n];
    return given;
  }

  private final class Held implements Scripted {
    final V8ValueObject object;

    Held(V8ValueObject object) {
      this.object = object;
      held.add(object);
    }

    @Override
    public String text(String member, Object... arguments) {
      return called(() -> object.invokeString(member, numbers(arguments)));
    }

    @Override
    public boolean is(String member, Object... arguments) {
      return called(() -> object.invokeBoolean(member, numbers(arguments)));
    }

    @Override
    public void run(String member, Object... arguments) {
      called(
          () -> {
            object.invokeVoid(member, numbers(arguments));
            return null;
          });
    }

    @Override
    public Scripted object(String member, Object... arguments) {
      return called(() -> new Held(object.invoke(member, numbers(arguments))));
    }

    @Override
    public boolean has(String member) {
      return thrown(
          () -> {
            try (V8Value found = object.get(member)) {
              return found instanceof V8ValueFunction;
            }
          });
    }
  }
}
