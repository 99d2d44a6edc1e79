;; Runs over one JSON value (RFC 8259), as json-skip.ts does, sixteen bytes of a string at a time.
;; The text begins at 0 and is followed by at least sixteen zero bytes. A zero byte is allowed nowhere in JSON, so that nothing is ever accepted
;; beyond the text and its end needs no looking at. Every function returns the offset behind what it accepted, or 0 for a text that is not JSON.
(module
  (memory (export "memory") 2)
  ;; Open containers, one byte each: 1 an object, 0 an array.
  (global $stack i32 (i32.const 0x18000))

  (func $space (param $at i32) (result i32)
    (local $byte i32)
    (loop $more
      (local.set $byte (i32.load8_u (local.get $at)))
      (if (i32.or
            (i32.or (i32.eq (local.get $byte) (i32.const 0x20)) (i32.eq (local.get $byte) (i32.const 0x0a)))
            (i32.or (i32.eq (local.get $byte) (i32.const 0x0d)) (i32.eq (local.get $byte) (i32.const 0x09))))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $more))))
    (local.get $at))

  (func $isHex (param $byte i32) (result i32)
    (i32.or
      (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x30)) (i32.const 10))
      (i32.lt_u (i32.sub (i32.or (local.get $byte) (i32.const 0x20)) (i32.const 0x61)) (i32.const 6))))

  ;; From behind a backslash.
  (func $escape (param $at i32) (result i32)
    (local $byte i32)
    (local.set $byte (i32.load8_u (local.get $at)))
    (if (i32.eq (local.get $byte) (i32.const 0x75))
      (then
        (if (i32.and
              (i32.and
                (call $isHex (i32.load8_u offset=1 (local.get $at)))
                (call $isHex (i32.load8_u offset=2 (local.get $at))))
              (i32.and
                (call $isHex (i32.load8_u offset=3 (local.get $at)))
                (call $isHex (i32.load8_u offset=4 (local.get $at)))))
          (then (return (i32.add (local.get $at) (i32.const 5)))))
        (return (i32.const 0))))
    ;; " / \ b f n r t
    (if (i32.or
          (i32.or
            (i32.or (i32.eq (local.get $byte) (i32.const 0x22)) (i32.eq (local.get $byte) (i32.const 0x2f)))
            (i32.or (i32.eq (local.get $byte) (i32.const 0x5c)) (i32.eq (local.get $byte) (i32.const 0x62))))
          (i32.or
            (i32.or (i32.eq (local.get $byte) (i32.const 0x66)) (i32.eq (local.get $byte) (i32.const 0x6e)))
            (i32.or (i32.eq (local.get $byte) (i32.const 0x72)) (i32.eq (local.get $byte) (i32.const 0x74)))))
      (then (return (i32.add (local.get $at) (i32.const 1)))))
    (i32.const 0))

  ;; From behind the opening quote to behind the closing one.
  (func $string (param $at i32) (result i32)
    (local $bytes v128) (local $stops i32) (local $byte i32)
    (local $quote v128) (local $backslash v128) (local $control v128)
    (local.set $quote (i8x16.splat (i32.const 0x22)))
    (local.set $backslash (i8x16.splat (i32.const 0x5c)))
    (local.set $control (i8x16.splat (i32.const 0x1f)))
    (loop $more
      (local.set $bytes (v128.load (local.get $at)))
      (local.set $stops
        (i8x16.bitmask
          (v128.or
            (v128.or
              (i8x16.eq (local.get $bytes) (local.get $quote))
              (i8x16.eq (local.get $bytes) (local.get $backslash)))
            (i8x16.eq (i8x16.min_u (local.get $bytes) (local.get $control)) (local.get $bytes)))))
      (if (i32.eqz (local.get $stops))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $more)))
      (local.set $at (i32.add (local.get $at) (i32.ctz (local.get $stops))))
      (local.set $byte (i32.load8_u (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (if (i32.eq (local.get $byte) (i32.const 0x22)) (then (return (local.get $at))))
      (if (i32.ne (local.get $byte) (i32.const 0x5c)) (then (return (i32.const 0))))
      (local.set $at (call $escape (local.get $at)))
      (br_if $more (local.get $at)))
    (i32.const 0))

  ;; At least one digit.
  (func $digits (param $at i32) (result i32)
    (local $start i32)
    (local.set $start (local.get $at))
    (loop $more
      (if (i32.lt_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 0x30)) (i32.const 10))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $more))))
    (select (local.get $at) (i32.const 0) (i32.ne (local.get $at) (local.get $start))))

  (func $number (param $at i32) (result i32)
    (local $byte i32)
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x2d))
      (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x30))
      (then (local.set $at (i32.add (local.get $at) (i32.const 1))))
      (else
        (local.set $at (call $digits (local.get $at)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x2e))
      (then
        (local.set $at (call $digits (i32.add (local.get $at) (i32.const 1))))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
    (if (i32.eq (i32.or (i32.load8_u (local.get $at)) (i32.const 0x20)) (i32.const 0x65))
      (then
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.or (i32.eq (local.get $byte) (i32.const 0x2b)) (i32.eq (local.get $byte) (i32.const 0x2d)))
          (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
        (return (call $digits (local.get $at)))))
    (local.get $at))

  (func $literal (param $at i32) (result i32)
    (local $word i32)
    (local.set $word (i32.load (local.get $at)))
    ;; true, null, fals + e
    (if (i32.or (i32.eq (local.get $word) (i32.const 0x65757274)) (i32.eq (local.get $word) (i32.const 0x6c6c756e)))
      (then (return (i32.add (local.get $at) (i32.const 4)))))
    (if (i32.and (i32.eq (local.get $word) (i32.const 0x736c6166)) (i32.eq (i32.load8_u offset=4 (local.get $at)) (i32.const 0x65)))
      (then (return (i32.add (local.get $at) (i32.const 5)))))
    (i32.const 0))

  ;; From a member's name to the start of its value.
  (func $name (param $at i32) (result i32)
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x22)) (then (return (i32.const 0))))
    (local.set $at (call $string (i32.add (local.get $at) (i32.const 1))))
    (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
    (if (i32.le_u (i32.load8_u (local.get $at)) (i32.const 0x20)) (then (local.set $at (call $space (local.get $at)))))
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x3a)) (then (return (i32.const 0))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (if (i32.le_u (i32.load8_u (local.get $at)) (i32.const 0x20)) (then (local.set $at (call $space (local.get $at)))))
    (local.get $at))

  ;; From the value that starts at $at to its end.
  (func (export "skip") (param $at i32) (param $depthMax i32) (result i32)
    (local $byte i32) (local $open i32) (local $inObject i32) (local $isObject i32)
    (loop $value
      (block $ended
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.eq (local.get $byte) (i32.const 0x22))
          (then
            (local.set $at (call $string (i32.add (local.get $at) (i32.const 1))))
            (br_if $ended (local.get $at))
            (return (i32.const 0))))
        (local.set $isObject (i32.eq (local.get $byte) (i32.const 0x7b)))
        (if (i32.or (local.get $isObject) (i32.eq (local.get $byte) (i32.const 0x5b)))
          (then
            (if (i32.ge_u (local.get $open) (local.get $depthMax)) (then (return (i32.const 0))))
            (local.set $at (call $space (i32.add (local.get $at) (i32.const 1))))
            ;; The closing bracket is two behind the opening one, for either kind.
            (if (i32.eq (i32.load8_u (local.get $at)) (i32.add (local.get $byte) (i32.const 2)))
              (then
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $ended)))
            (local.set $inObject (local.get $isObject))
            (i32.store8 (i32.add (global.get $stack) (local.get $open)) (local.get $isObject))
            (local.set $open (i32.add (local.get $open) (i32.const 1)))
            (if (local.get $isObject)
              (then
                (local.set $at (call $name (local.get $at)))
                (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
            (br $value)))
        (if (i32.or
              (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x30)) (i32.const 10))
              (i32.eq (local.get $byte) (i32.const 0x2d)))
          (then (local.set $at (call $number (local.get $at))))
          (else (local.set $at (call $literal (local.get $at)))))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0)))))
      ;; A value ended at $at.
      (loop $close
        (if (i32.eqz (local.get $open)) (then (return (local.get $at))))
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.le_u (local.get $byte) (i32.const 0x20))
          (then
            (local.set $at (call $space (local.get $at)))
            (local.set $byte (i32.load8_u (local.get $at)))))
        (if (i32.eq (local.get $byte) (i32.const 0x2c))
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (if (i32.le_u (i32.load8_u (local.get $at)) (i32.const 0x20)) (then (local.set $at (call $space (local.get $at)))))
            (if (local.get $inObject)
              (then
                (local.set $at (call $name (local.get $at)))
                (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
            (br $value)))
        (if (i32.ne (local.get $byte) (select (i32.const 0x7d) (i32.const 0x5d) (local.get $inObject)))
          (then (return (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $open (i32.sub (local.get $open) (i32.const 1)))
        (if (local.get $open)
          (then
            (local.set $inObject
              (i32.load8_u (i32.sub (i32.add (global.get $stack) (local.get $open)) (i32.const 1))))))
        (br $close)))
    (i32.const 0)))
