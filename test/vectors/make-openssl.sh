#!/bin/sh
# Signature vectors from OpenSSL, with keys as bytes: sh test/vectors/make-openssl.sh > test/vectors/openssl.txt
for key in 00 6b 6b00ff 00112233445566778899aabbccddeeff; do
  for text in '' '{}' '{"id":"evt_1"}' 'line
break'; do
    mac=$(printf '%s' "$text" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key | sed 's/.*= //')
    printf '%s %s %s\n' "$key" "$(printf '%s' "$text" | od -An -v -tx1 | tr -d ' \n' | sed 's/^$/-/')" "sha256=$mac"
  done
done
