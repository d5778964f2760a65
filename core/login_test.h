/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login_test.h - `sockgatectl login-test`: the chain of a listener, asked without a gateway.
 */
#ifndef SG_LOGIN_TEST_H
#define SG_LOGIN_TEST_H

int sg_login_test_main(int argc, char **argv); /* the exit status */

#endif
